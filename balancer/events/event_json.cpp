// SPDX-License-Identifier: MIT
#include "balancer/events/event_json.hpp"

#include "balancer/events/time_text.hpp"

#include <nlohmann/json.hpp>

namespace usher {

namespace {

using Json = nlohmann::json;

Json context_of(const Event& event)
{
    Json json{{"event", name_of(event.kind)}};
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
    return json;
}

std::string text_of(const Json& json)
{
    return json.dump(-1, ' ', true, Json::error_handler_t::replace);
}

} // namespace

std::string encode_event(const Event& event)
{
    auto json = context_of(event);
    json["time"] = time_text(event.time);
    json["message"] = event.message;
    return text_of(json);
}

std::string encode_context(const Event& event)
{
    const auto text = text_of(context_of(event));
    return text.substr(1, text.size() - 2);
}

} // namespace usher
