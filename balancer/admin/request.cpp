// SPDX-License-Identifier: MIT
#include "balancer/admin/request.hpp"

#include "balancer/config/json/config_error.hpp"
#include "balancer/config/json/message_text.hpp"
#include "balancer/config/units/limits.hpp"
#include "balancer/events/time_text.hpp"

#include <nlohmann/json.hpp>

#include <fmt/core.h>

#include <optional>

namespace usher {

namespace {

using Json = nlohmann::ordered_json;

std::string dump(const Json& json)
{
    return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

/// Nothing if `line` is no JSON object; nesting is bounded because the sender is not trusted.
std::optional<Json> parse_object(std::string_view line)
{
    constexpr int deepest = 8;
    bool too_deep = false;
    const auto watch = [&](int depth, Json::parse_event_t, const Json&) {
        too_deep = too_deep || depth > deepest;
        return !too_deep;
    };
    auto json = Json::parse(line, watch, false);
    if (too_deep || !json.is_object())
        return std::nullopt;
    return json;
}

std::string text_of(const Json& json, const char* key)
{
    const auto found = json.find(key);
    return found != json.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

bool flag_of(const Json& json, const char* key)
{
    const auto found = json.find(key);
    return found != json.end() && found->is_boolean() && found->get<bool>();
}

/// The slot number, of which 0 means all; nothing if it is none.
std::optional<unsigned> slot_of(const Json& json)
{
    const auto slot = json.find("slot");
    if (slot == json.end() || !slot->is_number_unsigned() || *slot > workers_range.most)
        return std::nullopt;
    return slot->get<unsigned>();
}

struct Encoder {
    Json operator()(const StatusRequest&) const { return {{"command", "status"}}; }
    Json operator()(const ReloadRequest& r) const
    {
        return {{"command", "reload"}, {"dry_run", r.dry_run}};
    }
    Json operator()(const DrainRequest& r) const
    {
        return {{"command", "drain"}, {"pool", r.pool}, {"slot", r.slot}};
    }
    Json operator()(const RestartRequest& r) const
    {
        return {{"command", "restart"}, {"pool", r.pool}, {"slot", r.slot}};
    }
    Json operator()(const ScaleRequest& r) const
    {
        return {{"command", "scale"}, {"pool", r.pool}, {"workers", r.workers}};
    }
    Json operator()(const SendRequest& r) const
    {
        // As a text, or what is to arrive as it is would be taken apart on its way.
        return {{"command", "send"}, {"pool", r.pool}, {"slot", r.slot}, {"message", r.message}};
    }
    Json operator()(const StopRequest& r) const
    {
        return {{"command", "stop"}, {"fast", r.fast}, {"wait", r.wait}};
    }
    Json operator()(const EventsRequest& r) const
    {
        return {{"command", "events"}, {"follow", r.follow}};
    }
    Json operator()(const BadRequest&) const { return Json::object(); }
};

Request decode_send(const Json& json)
{
    const auto slot = slot_of(json);
    if (!slot)
        return BadRequest{.reason = "\"slot\" must be a number from 0 (all) to 1024"};
    try {
        return SendRequest{.pool = text_of(json, "pool"),
                           .slot = *slot,
                           .message = message_text(text_of(json, "message"))};
    } catch (const ConfigError& e) {
        return BadRequest{.reason = e.what()};
    }
}

} // namespace

Request decode_request(std::string_view line)
{
    const auto json = parse_object(line);
    if (!json)
        return BadRequest{.reason = "a request is one JSON object on one line"};

    const auto command = text_of(*json, "command");
    if (command == "status")
        return StatusRequest{};
    if (command == "reload")
        return ReloadRequest{.dry_run = flag_of(*json, "dry_run")};
    if (command == "events")
        return EventsRequest{.follow = flag_of(*json, "follow")};
    if (command == "stop")
        return StopRequest{.fast = flag_of(*json, "fast"), .wait = flag_of(*json, "wait")};
    if (command == "scale")
        return ScaleRequest{.pool = text_of(*json, "pool"), .workers = text_of(*json, "workers")};
    if (command == "send")
        return decode_send(*json);
    if (command == "restart") {
        const auto slot = slot_of(*json);
        if (!slot)
            return BadRequest{.reason = "\"slot\" must be a number from 0 (all) to 1024"};
        return RestartRequest{.pool = text_of(*json, "pool"), .slot = *slot};
    }
    if (command == "drain") {
        const auto slot = slot_of(*json);
        if (!slot || *slot == 0)
            return BadRequest{.reason = "\"slot\" must be a number from 1 to 1024"};
        return DrainRequest{.pool = text_of(*json, "pool"), .slot = *slot};
    }
    return BadRequest{.reason = fmt::format("\"{}\" is no command; use status, reload, restart, "
                                            "drain, scale, send, stop or events",
                                            command)};
}

std::string encode(const Request& request)
{
    return dump(std::visit(Encoder{}, request));
}

std::string encode(const Event& event)
{
    Json json{{"type", "event"}, {"time", time_text(event.time)}, {"event", name_of(event.kind)}};
    if (!event.pool.empty())
        json["pool"] = event.pool;
    if (event.slot != 0)
        json["slot"] = event.slot;
    if (event.worker != 0)
        json["worker"] = event.worker;
    if (event.pid != 0)
        json["pid"] = event.pid;
    if (event.generation != 0)
        json["generation"] = event.generation;
    json["message"] = event.message;
    return dump(json);
}

std::string encode(const Outcome& reply)
{
    return dump({{"type", "result"}, {"outcome", name_of(reply.kind)}, {"message", reply.message}});
}

std::string encode_status(const std::string& status)
{
    return R"({"type":"status","status":)" + status + "}\n";
}

std::string encode_dropped(std::uint64_t lines)
{
    return dump({{"type", "dropped"},
                 {"count", lines},
                 {"message", fmt::format("{} lines were left out here, because this client reads "
                                         "too slowly",
                                         lines)}});
}

Line decode_line(std::string_view line)
{
    const auto json = parse_object(line);
    if (!json)
        return {};
    const auto type = text_of(*json, "type");
    if (type == "event")
        return {.kind = Line::Kind::event,
                .text = text_of(*json, "message"),
                .time = text_of(*json, "time")};
    if (type == "dropped")
        return {.kind = Line::Kind::dropped, .text = text_of(*json, "message")};
    if (type == "status")
        return {.kind = Line::Kind::status, .text = json->value("status", Json::object()).dump()};
    if (type == "result")
        return {.kind = Line::Kind::result,
                .text = text_of(*json, "message"),
                .time = {},
                .outcome = outcome_kind(text_of(*json, "outcome"))};
    return {};
}

} // namespace usher
