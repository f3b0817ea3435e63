// SPDX-License-Identifier: MIT
#include "balancer/admin/request.hpp"

#include "balancer/config/json/json_text.hpp"
#include "balancer/config/units/limits.hpp"
#include "balancer/events/event_json.hpp"
#include "common/text/counted.hpp"
#include "common/wire/json_depth.hpp"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <optional>
#include <stdexcept>

namespace usher {

namespace {

using Json = nlohmann::ordered_json;

std::string dump(const Json& json)
{
    return json.dump(-1, ' ', true, Json::error_handler_t::replace) + "\n";
}

/// What is said on a bus is not read on its way: it may be large, and nest deeply.
constexpr std::string_view before_bus_line = R"({"type":"bus","line":)";

/// Nothing if `line` is no JSON object; nesting is bounded because the sender is not trusted.
///
/// What keeps the order of members looks through all of them for each, so requests are read
/// without.
template <typename AnyJson>
std::optional<AnyJson> parse_object(std::string_view line)
{
    constexpr std::size_t deepest = 8;
    if (wire::json_depth(line) > deepest)
        return std::nullopt;
    auto json = AnyJson::parse(line, nullptr, false);
    return json.is_object() ? std::optional{std::move(json)} : std::nullopt;
}

std::string text_of(const auto& json, const char* key)
{
    const auto found = json.find(key);
    return found != json.end() && found->is_string() ? found->template get<std::string>()
                                                     : std::string{};
}

bool flag_of(const auto& json, const char* key)
{
    const auto found = json.find(key);
    return found != json.end() && found->is_boolean() && found->template get<bool>();
}

/// The number of a slot.
unsigned slot_of(const nlohmann::json& json, Range range)
{
    const auto slot = json.find("slot");
    if (slot == json.end() || !slot->is_number_unsigned() || !range.contains(*slot))
        throw std::runtime_error{fmt::format("\"slot\" must be a number from {} to {}",
                                             range.least == 0 ? "0 (all)" : "1", range.most)};
    return slot->get<unsigned>();
}

} // namespace

Request decode_request(std::string_view line)
{
    const auto json = parse_object<nlohmann::json>(line);
    if (!json)
        throw std::runtime_error{"a request is one JSON object on one line"};
    const auto name = text_of(*json, "command");
    const auto command = value_of(request_names, name);
    if (!command)
        throw std::runtime_error{
            fmt::format("\"{}\" is no command; use {}", name, choice_of(request_names))};

    Request request{.command = *command,
                    .pool = text_of(*json, "pool"),
                    .workers = text_of(*json, "workers"),
                    .dry_run = flag_of(*json, "dry_run"),
                    .fast = flag_of(*json, "fast"),
                    .wait = flag_of(*json, "wait"),
                    .follow = flag_of(*json, "follow")};
    using enum Request::Command;
    if (command == restart || command == drain || command == send)
        request.slot =
            slot_of(*json, {.least = command == drain ? 1 : 0, .most = workers_range.most});
    if (command == send)
        request.message = message_text(text_of(*json, "message"));
    if (command == bus)
        request.message = text_of(*json, "message");
    return request;
}

std::string encode(const Request& request)
{
    // The message as a text, or what is to arrive as it is would be taken apart on its way.
    return dump({{"command", name_of(request_names, request.command)},
                 {"pool", request.pool},
                 {"slot", request.slot},
                 {"workers", request.workers},
                 {"message", request.message},
                 {"dry_run", request.dry_run},
                 {"fast", request.fast},
                 {"wait", request.wait},
                 {"follow", request.follow}});
}

std::string encode(const Event& event)
{
    return "{\"type\":\"event\"," + encode_event(event).substr(1) + "\n";
}

std::string encode(const Outcome& reply)
{
    return dump({{"type", "result"},
                 {"outcome", name_of(outcome_names, reply.kind)},
                 {"message", reply.message}});
}

std::string encode_status(const std::string& status)
{
    return R"({"type":"status","status":)" + status + "}\n";
}

std::string encode_bus(std::string_view line)
{
    if (line.ends_with('\n'))
        line.remove_suffix(1);
    return fmt::format("{}{}}}\n", before_bus_line, line);
}

std::string encode_dropped(std::uint64_t lines)
{
    return dump({{"type", "dropped"},
                 {"count", lines},
                 {"message", counted(lines, "line") +
                                 " left out here, because this client reads too slowly"}});
}

Line decode_line(std::string_view line)
{
    constexpr Names<Line::Kind, 4> kinds{{{Line::Kind::event, "event"},
                                          {Line::Kind::status, "status"},
                                          {Line::Kind::dropped, "dropped"},
                                          {Line::Kind::result, "result"}}};
    if (line.starts_with(before_bus_line) && line.ends_with('}'))
        return {.kind = Line::Kind::bus,
                .text = std::string{
                    line.substr(before_bus_line.size(), line.size() - before_bus_line.size() - 1)}};
    const auto json = parse_object<Json>(line);
    if (!json)
        return {};
    const auto kind = value_of(kinds, text_of(*json, "type")).value_or(Line::Kind::unknown);
    return {.kind = kind,
            .text = kind == Line::Kind::status
                        ? json->value("status", Json::object()).dump(-1, ' ', true)
                        : text_of(*json, "message"),
            .time = text_of(*json, "time"),
            .outcome =
                value_of(outcome_names, text_of(*json, "outcome")).value_or(Outcome::Kind::failed)};
}

} // namespace usher
