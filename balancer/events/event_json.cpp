// SPDX-License-Identifier: MIT
#include "balancer/events/event_json.hpp"

#include "balancer/events/time_text.hpp"

#include <nlohmann/json.hpp>

namespace usher {

std::string encode_event(const Event& event)
{
    using Json = nlohmann::json;
    Json json{{"time", time_text(event.time)}, {"event", name_of(event.kind)}};
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
    return json.dump(-1, ' ', true, Json::error_handler_t::replace);
}

} // namespace usher
