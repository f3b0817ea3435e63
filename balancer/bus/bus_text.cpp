// SPDX-License-Identifier: MIT
#include "balancer/bus/bus_text.hpp"

#include "balancer/store/json_members.hpp"

#include <fmt/core.h>

namespace usher {

namespace {

/// `,"NAME":VALUE`, or nothing if there is no value.
std::string optional_member(std::string_view name, std::string_view json)
{
    return json.empty() ? std::string{} : fmt::format(",\"{}\":{}", name, json);
}

std::string topic_member(std::string_view topic)
{
    return topic.empty() ? std::string{} : fmt::format(",\"topic\":\"{}\"", topic);
}

} // namespace

std::string encode_welcome(std::string_view id, const BusIdentity& who, std::string_view group)
{
    return fmt::format("{{\"type\":\"welcome\",\"protocol\":1{},\"pool\":\"{}\",\"slot\":{},"
                       "\"worker\":{},\"generation\":{},\"group\":{}}}\n",
                       optional_member("id", id), who.pool, who.slot, who.worker, who.generation,
                       json_quote(group));
}

std::string encode_message(std::string_view topic, std::string_view from, std::string_view data)
{
    return fmt::format("{{\"type\":\"message\"{},\"from\":\"{}\",\"data\":{}}}\n",
                       topic_member(topic), from, data);
}

std::string encode_request(std::uint64_t number, std::string_view topic, std::string_view from,
                           std::chrono::milliseconds timeout, std::string_view data)
{
    return fmt::format(
        "{{\"type\":\"request\",\"id\":{}{},\"from\":\"{}\",\"timeout_ms\":{},\"data\":{}}}\n",
        number, topic_member(topic), from, timeout.count(), data);
}

std::string encode_reply(std::string_view id, std::string_view from, std::string_view member,
                         std::string_view content)
{
    return fmt::format("{{\"type\":\"reply\",\"id\":{},\"from\":\"{}\",\"{}\":{}}}\n", id, from,
                       member, content);
}

std::string encode_done(std::string_view id, unsigned replies,
                        const std::vector<std::string>& missing)
{
    std::string names;
    for (const auto& name : missing)
        names.append(names.empty() ? "\"" : ",\"").append(name).append("\"");
    return fmt::format("{{\"type\":\"done\",\"id\":{},\"replies\":{},\"missing\":[{}]}}\n", id,
                       replies, names);
}

std::string encode_ok(std::string_view id, std::string_view more)
{
    return fmt::format("{{\"type\":\"ok\",\"id\":{}{}}}\n", id, more);
}

std::string encode_error(const BusError& error, std::string_view more)
{
    return fmt::format("{{\"type\":\"error\",\"id\":{},\"code\":\"{}\",\"reason\":{}{}}}\n",
                       error.id.empty() ? "null" : error.id, error.code, json_quote(error.reason),
                       more);
}

std::string encode_lost(std::uint64_t count)
{
    return fmt::format("{{\"type\":\"lost\",\"count\":{}}}\n", count);
}

std::string encode_leader(bool is_leader)
{
    return fmt::format("{{\"type\":\"leader\",\"is\":{}}}\n", is_leader);
}

} // namespace usher
