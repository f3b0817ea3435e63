// SPDX-License-Identifier: MIT
#include "balancer/dialect/node/channel/node_codec.hpp"

#include "balancer/dialect/node/channel/v8_reader.hpp"
#include "balancer/dialect/node/channel/v8_writer.hpp"

#include <cstdint>
#include <utility>

namespace usher::node {

namespace {

Message decode_advanced(std::string_view payload)
{
    using v8::Result;
    const auto value = v8::value_in(payload);
    if (!value)
        return Malformed{"it does not begin as V8 begins"};

    // Programs may send much, and none of it concerns us.  Node's own begins with the command.
    std::string json;
    const bool is_long = payload.size() > longest_internal;
    auto result = v8::to_json(value->substr(0, longest_internal), json, UserMessage::most_shown);
    const bool is_handle = json.starts_with(R"({"cmd":"NODE_HANDLE")");
    const bool is_plain = !is_handle && json.starts_with(R"({"cmd":"NODE_)") &&
                          !json.starts_with(R"({"cmd":"NODE_")");
    if (is_plain && is_long)
        return too_long_internal();
    if (is_plain && result == Result::too_long) {
        json.clear();
        result = v8::to_json(*value, json, longest_internal);
        if (result == Result::too_long)
            return too_long_internal();
    }
    if (result == Result::done)
        return decode(json);
    if (is_plain || (result == Result::malformed && !is_long))
        return Malformed{"it is not what V8 writes"};
    UserMessage shown{result == Result::not_plain ? size_note(payload.size())
                                                  : cut_short(json, payload.size())};
    return is_handle ? Message{Handle{std::move(shown)}} : std::move(shown);
}

} // namespace

Message decode(NodeConfig::Serialization serialization, std::string_view message)
{
    return serialization == NodeConfig::Serialization::json ? decode(message)
                                                            : decode_advanced(message);
}

std::string encode(NodeConfig::Serialization serialization, std::string json)
{
    if (serialization == NodeConfig::Serialization::json)
        return std::move(json) + '\n';
    return frame(serialization, v8_of_json(json));
}

std::string frame(NodeConfig::Serialization serialization, std::string_view payload)
{
    const auto size = payload.size();
    std::string result;
    result.reserve(size + sizeof(std::uint32_t));
    // In one piece: Node before 20 loses the thread if a length comes in two.
    if (serialization == NodeConfig::Serialization::advanced)
        result = {static_cast<char>(size >> 24), static_cast<char>(size >> 16),
                  static_cast<char>(size >> 8), static_cast<char>(size)};
    result += payload;
    if (serialization == NodeConfig::Serialization::json)
        result += '\n';
    return result;
}

} // namespace usher::node
