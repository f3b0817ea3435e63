// SPDX-License-Identifier: MIT
#include "balancer/config/decode_node.hpp"

#include "balancer/config/units/limits.hpp"

namespace usher {

namespace {

NodeConfig::Policy decode_policy(const JsonValue& value)
{
    constexpr std::string_view must = "\"auto\", \"rr\", \"none\" or \"reuseport\"";
    const auto policy = node_policy_from(value.text(must));
    if (!policy)
        value.refuse(must);
    return *policy;
}

NodeConfig::Ready decode_ready(const JsonValue& value)
{
    constexpr std::string_view must = "\"listening\" or \"online\"";
    const auto text = value.text(must);
    if (text == "listening")
        return NodeConfig::Ready::listening;
    if (text == "online")
        return NodeConfig::Ready::online;
    value.refuse(must);
}

NodeConfig::Serialization decode_serialization(const JsonValue& value)
{
    constexpr std::string_view must = "\"json\" or \"advanced\"";
    const auto text = value.text(must);
    if (text == "json")
        return NodeConfig::Serialization::json;
    if (text == "advanced")
        return NodeConfig::Serialization::advanced;
    value.refuse(must);
}

unsigned decode_window(const JsonValue& value)
{
    return value.number(node_window_range);
}

} // namespace

NodeConfig decode_node(const JsonValue& value)
{
    NodeConfig node;
    value.read_members(
        {
            {"policy", into(node.policy, decode_policy)},
            {"window", into(node.window, decode_window)},
            {"ready", into(node.ready, decode_ready)},
            {"serialization", into(node.serialization, decode_serialization)},
        },
        "an object");
    return node;
}

} // namespace usher
