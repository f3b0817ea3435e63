// SPDX-License-Identifier: MIT
#include "balancer/admin/snapshot/snapshot_json.hpp"

#include "balancer/events/time_text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>

namespace usher {

namespace {

using Json = nlohmann::ordered_json;

/// Goes up when a member changes its meaning or goes; not when one comes.
constexpr int format = 1;

template <typename Value>
Json or_null(const std::optional<Value>& value)
{
    return value ? Json(*value) : Json();
}

/// Two digits are what is measured.
Json rounded(const std::optional<double>& value)
{
    return value ? Json(std::round(*value * 100) / 100) : Json();
}

Json describe(const WorkerSnapshot& worker)
{
    Json json{{"slot", worker.slot}, {"generation", worker.generation}, {"state", worker.state}};
    if (worker.process) {
        const auto& process = *worker.process;
        json["pid"] = process.pid;
        json["worker"] = process.worker;
        json["uptime_ms"] = process.age.count();
        json["handed_off"] = or_null(process.handed_off);
        json["queued"] = or_null(process.queued);
        json["open"] = or_null(process.open);
        json["moved"] = or_null(process.moved);
        json["load"] = or_null(process.load);
        json["connections_per_second"] = rounded(process.connections_per_second);
        json["cpu_percent"] = rounded(process.cpu_percent);
        json["memory"] = or_null(process.memory);
        json["lost_messages"] = process.lost_messages;
        if (process.is_leader)
            json["leader"] = true;
        if (!process.says.empty())
            json["says"] = process.says;
    }
    json["starts"] = worker.starts;
    if (!worker.last_exit.empty())
        json["last_failure"] = worker.last_exit;
    return json;
}

Json describe_all(const std::vector<WorkerSnapshot>& workers)
{
    Json all = Json::array();
    for (const auto& worker : workers)
        all.push_back(describe(worker));
    return all;
}

Json describe(const PoolSnapshot& pool)
{
    Json listening = Json::array();
    Json listeners = Json::array();
    for (const auto& listener : pool.listeners) {
        listening.push_back(listener.name);
        listeners.push_back({{"name", listener.name}, {"waiting", or_null(listener.waiting)}});
    }
    Json store;
    if (pool.store)
        store = {{"keys", pool.store->keys},
                 {"bytes", pool.store->bytes},
                 {"revision", pool.store->revision}};
    const auto count = [&](std::uint64_t DispatchCounters::*counter) {
        return pool.connections ? Json((*pool.connections).*counter) : Json();
    };
    return {{"name", pool.name},
            {"state", pool.state},
            {"dialect", pool.dialect},
            {"generation", pool.generation},
            {"listening", std::move(listening)},
            {"listeners", std::move(listeners)},
            {"handed_off", count(&DispatchCounters::handed_off)},
            {"reclaimed", count(&DispatchCounters::reclaimed)},
            {"moved", count(&DispatchCounters::moved)},
            {"closed_as_suspect", count(&DispatchCounters::closed_as_suspect)},
            {"lost_lines", or_null(pool.lost_lines)},
            {"bus_share", pool.bus_share.empty() ? Json() : Json(pool.bus_share)},
            {"store", std::move(store)},
            {"configured_workers", pool.configured_workers},
            {"scaled_to", or_null(pool.scaled_to)},
            {"workers", describe_all(pool.workers)},
            {"leaving", describe_all(pool.leaving)}};
}

Json describe_reload(const MasterSnapshot& snapshot)
{
    Json json{{"running", snapshot.is_reloading}, {"last", nullptr}};
    if (const auto& last = snapshot.last_reload) {
        const auto age = std::max(snapshot.time - last->ended, // may be set back
                                  std::chrono::system_clock::duration::zero());
        const auto kind = last->outcome.kind;
        json["last"] = {
            {"time", time_text(last->ended)},
            {"age_ms", std::chrono::duration_cast<std::chrono::milliseconds>(age).count()},
            {"duration_ms", last->duration.count()},
            {"result", kind == Outcome::Kind::done          ? "done"
                       : kind == Outcome::Kind::rolled_back ? "rolled back"
                                                            : "failed"},
            {"message", last->outcome.message}};
    }
    return json;
}

} // namespace

std::string to_json(const MasterSnapshot& snapshot)
{
    Json json{{"format", format},
              {"version", USHER_VERSION},
              {"time", time_text(snapshot.time)},
              {"pid", snapshot.pid},
              {"uptime_ms", snapshot.age.count()},
              {"ready", snapshot.is_ready},
              {"stopping", snapshot.is_stopping},
              {"cpu_percent", rounded(snapshot.cpu_percent)},
              {"memory", or_null(snapshot.memory)},
              {"reload", describe_reload(snapshot)},
              {"stderr_lost_lines", snapshot.lost_lines},
              {"pools", Json::array()}};
    for (const auto& pool : snapshot.pools)
        json["pools"].push_back(describe(pool));
    for (std::size_t i = 0; i < event_kinds; ++i)
        json["events"][std::string{name_of(static_cast<EventKind>(i))}] = snapshot.events[i];
    return json.dump(-1, ' ', true, Json::error_handler_t::replace);
}

} // namespace usher
