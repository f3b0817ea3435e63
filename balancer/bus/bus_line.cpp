// SPDX-License-Identifier: MIT
#include "balancer/bus/bus_line.hpp"

#include "balancer/bus/bus_limits.hpp"
#include "balancer/bus/topic.hpp"
#include "balancer/store/json_members.hpp"
#include "common/text/one_line.hpp"
#include "common/wire/json_depth.hpp"

#include <fmt/core.h>

#include <charconv>
#include <limits>

namespace usher {

namespace {

using Type = BusLine::Type;

struct Refusal {
    std::string_view code;
    std::string reason;
};

[[noreturn]] void refuse(std::string reason)
{
    throw Refusal{"bad-member", std::move(reason)};
}

std::string text_of(std::string_view name, std::string_view value, std::size_t longest)
{
    auto text = json_text(value);
    if (!text)
        refuse(fmt::format("\"{}\" is no string", name));
    if (text->size() > longest)
        refuse(fmt::format("\"{}\" is longer than {} bytes", name, longest));
    return *std::move(text);
}

/// A program in C could not name one that has a zero byte.
std::string key_of(std::string_view name, std::string_view value)
{
    auto key = text_of(name, value, longest_store_key);
    if (key.find('\0') != std::string::npos)
        refuse(fmt::format("\"{}\" has a zero byte", name));
    return key;
}

template <typename Number>
Number number_of(std::string_view name, std::string_view value)
{
    Number number{};
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error != std::errc{} || end != value.data() + value.size())
        refuse(fmt::format("\"{}\" is no whole number from {} to {}", name,
                           std::numeric_limits<Number>::min(), std::numeric_limits<Number>::max()));
    return number;
}

std::string_view payload_of(std::string_view name, std::string_view value)
{
    if (value.size() > longest_bus_payload)
        throw Refusal{"too-long", fmt::format("\"{}\" has {} bytes, {} are allowed", name,
                                              value.size(), longest_bus_payload)};
    return value;
}

/// True if `value`, which is JSON, may be sent back as an id as it is.
bool is_id(std::string_view value) noexcept
{
    const bool has_kind = value.front() == '"' || value.front() == '-' ||
                          (value.front() >= '0' && value.front() <= '9');
    return has_kind && value.size() <= longest_bus_id && value.find('\\') == std::string_view::npos;
}

void read_member(BusLine& line, std::string_view name, std::string_view value)
{
    const bool is_null = value == "null";
    if (name == "data" || name == "value")
        line.data = payload_of(name, value);
    else if (is_null)
        return; // as if it were not there
    else if (name == "topic" || name == "pattern")
        line.topic = text_of(name, value, longest_topic);
    else if (name == "pool")
        line.pool = text_of(name, value, longest_topic);
    else if (name == "key")
        line.key = key_of(name, value);
    else if (name == "error")
        line.error = json_quote(text_of(name, value, longest_bus_payload / 2));
    else if (name == "slot")
        line.slot = number_of<std::uint64_t>(name, value);
    else if (name == "timeout_ms")
        line.timeout_ms = number_of<std::uint64_t>(name, value);
    else if (name == "max")
        line.max = number_of<std::uint64_t>(name, value);
    else if (name == "ttl_ms")
        line.ttl_ms = number_of<std::uint64_t>(name, value);
    else if (name == "expected")
        line.expected = number_of<std::uint64_t>(name, value);
    else if (name == "by")
        line.by = number_of<std::int64_t>(name, value);
}

void need(bool there, std::string_view type, std::string_view name)
{
    if (!there)
        refuse(fmt::format("\"{}\" needs \"{}\"", type, name));
}

void need_topic(const BusLine& line, std::string_view type)
{
    need(!line.topic.empty(), type, "topic");
    if (!is_topic(line.topic))
        refuse(fmt::format("\"topic\" must be {}", topic_rule));
}

/// What each type cannot be without.
void check(const BusLine& line)
{
    const auto type = name_of(bus_line_names, line.type);
    switch (line.type) {
    case Type::hello:
    case Type::campaign:
    case Type::resign:
    case Type::sync:
        return;
    case Type::subscribe:
    case Type::unsubscribe:
        need(!line.topic.empty(), type, "pattern");
        if (!is_pattern(line.topic))
            refuse(fmt::format("\"pattern\" must be {}", pattern_rule));
        return;
    case Type::publish:
        need_topic(line, type);
        return need(!line.data.empty(), type, "data");
    case Type::send:
        if (!line.topic.empty())
            need_topic(line, type);
        return need(!line.data.empty(), type, "data");
    case Type::request:
        need(!line.id.empty(), type, "id");
        if ((line.pool.empty() && !line.slot) || !line.topic.empty())
            need_topic(line, type);
        if (line.timeout_ms &&
            *line.timeout_ms > static_cast<std::uint64_t>(longest_request_timeout.count()))
            refuse(
                fmt::format("\"timeout_ms\" may be {} at most", longest_request_timeout.count()));
        return need(!line.data.empty(), type, "data");
    case Type::reply:
        need(!line.id.empty(), type, "id");
        return need(!line.data.empty() || line.error, type, "data");
    case Type::put:
        need(!line.key.empty(), type, "key");
        return need(!line.data.empty(), type, "value");
    case Type::erase:
    case Type::increment:
        return need(!line.key.empty(), type, "key");
    case Type::get:
        need(!line.id.empty(), type, "id");
        return need(!line.key.empty(), type, "key");
    }
}

} // namespace

std::variant<BusLine, BusError> decode_bus_line(std::string_view text)
{
    if (wire::json_depth(text) > deepest_bus_line)
        return BusError{.code = "bad-line",
                        .reason = fmt::format("nests deeper than {}", deepest_bus_line)};
    if (!is_json_object(text))
        return BusError{.code = "bad-line", .reason = "is no JSON object"};
    BusLine line;
    std::optional<BusLine::Type> type;
    std::optional<Refusal> refusal; // the first; whoever is told of it is told the id, too
    const auto attempt = [&refusal](const auto& read) {
        if (refusal)
            return;
        try {
            read();
        } catch (Refusal& found) {
            refusal = std::move(found);
        }
    };
    for (JsonMembers members{text}; members.next();) {
        const auto name = members.name();
        const auto value = members.value();
        if (name == "id" && value != "null") {
            if (!is_id(value))
                return BusError{
                    .code = "bad-member",
                    .reason = fmt::format("\"id\" must be a number or a string of at most {} bytes "
                                          "without escapes",
                                          longest_bus_id)};
            line.id = value;
        } else if (name == "type") {
            type = value_of(bus_line_names, json_text(value).value_or(""));
        } else {
            attempt([&] { read_member(line, name, value); });
        }
    }
    if (!type)
        return BusError{
            .id = line.id, .code = "bad-line", .reason = "has no \"type\" that is known"};
    line.type = *type;
    attempt([&] { check(line); });
    if (refusal)
        return BusError{.id = line.id, .code = refusal->code, .reason = std::move(refusal->reason)};
    return line;
}

} // namespace usher
