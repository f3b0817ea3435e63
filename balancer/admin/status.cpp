// SPDX-License-Identifier: MIT
#include "balancer/admin/status.hpp"

#include "balancer/events/time_text.hpp"
#include "balancer/pool/pool_facts.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>

#include <unistd.h>

namespace usher {

namespace {

using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

const char* name_of(WorkerLifecycle::State state) noexcept
{
    switch (state) {
    case WorkerLifecycle::State::starting:
        return "starting";
    case WorkerLifecycle::State::probing:
        return "probing";
    case WorkerLifecycle::State::ready:
        return "ready";
    case WorkerLifecycle::State::draining:
        return "draining";
    case WorkerLifecycle::State::terminating:
        return "terminating";
    case WorkerLifecycle::State::killing:
        return "killing";
    }
    return "unknown";
}

/// Null: nobody can tell.
Json or_null(std::optional<std::uint64_t> figure)
{
    return figure ? Json(*figure) : Json(nullptr);
}

Json describe(WorkerSlot& slot)
{
    Json json{{"slot", slot.identity().slot}, {"generation", slot.identity().generation}};
    if (auto* const worker = slot.worker()) {
        json["state"] = name_of(worker->state());
        json["pid"] = worker->pid();
        json["worker"] = worker->identity().id;
        json["uptime_ms"] = worker->age().count();
        const auto known = worker->figures();
        json["handed_off"] = or_null(known ? std::optional{known->handed_off} : std::nullopt);
        json["queued"] = or_null(known ? std::optional{known->queued} : std::nullopt);
        json["open"] = or_null(known ? known->open : std::nullopt);
        if (!worker->says().empty())
            json["says"] = worker->says();
    } else {
        json["state"] = slot.has_failed() ? "failed" : slot.is_over() ? "stopped" : "waiting";
    }
    json["starts"] = slot.starts();
    if (!slot.last_failure().empty())
        json["last_failure"] = slot.last_failure();
    return json;
}

/// How many lines of the pool's workers were lost; null if usher does not see them, or sees them on
/// its standard error among those of others.
Json lost_lines(const OutputConfig& output, const Outputs& outputs)
{
    return output.kind == OutputConfig::Kind::file ? Json(outputs.lost_lines(output.file))
                                                   : Json(nullptr);
}

const char* result_of(Outcome::Kind kind) noexcept
{
    switch (kind) {
    case Outcome::Kind::done:
        return "done";
    case Outcome::Kind::rolled_back:
        return "rolled back";
    default:
        return "failed";
    }
}

Json describe(const Reloader& reloader)
{
    Json json{{"running", reloader.is_running()}, {"last", nullptr}};
    if (const auto& last = reloader.last()) {
        const auto age = std::max(std::chrono::system_clock::now() - last->ended, // may be set back
                                  std::chrono::system_clock::duration::zero());
        json["last"] = {
            {"time", time_text(last->ended)},
            {"age_ms", std::chrono::duration_cast<std::chrono::milliseconds>(age).count()},
            {"duration_ms", last->duration.count()},
            {"result", result_of(last->outcome.kind)},
            {"message", last->outcome.message}};
    }
    return json;
}

Json describe(Pool& pool, const Outputs& outputs)
{
    Json workers = Json::array();
    for (const auto& slot : pool.slots())
        workers.push_back(describe(*slot));
    Json leaving = Json::array();
    for (const auto& slot : pool.leaving())
        leaving.push_back(describe(*slot));
    const auto count = [&](std::uint64_t DispatchCounters::*counter) {
        const auto known = pool.intake().counters();
        return or_null(known ? std::optional{(*known).*counter} : std::nullopt);
    };
    return {{"name", pool.config().name},
            {"state", name_of(state_of(facts_of(pool)))},
            {"dialect", name_of(resolve(pool.config().dialect))},
            {"generation", pool.generation()},
            {"listening", pool.intake().names()},
            {"handed_off", count(&DispatchCounters::handed_off)},
            {"reclaimed", count(&DispatchCounters::reclaimed)},
            {"closed_as_suspect", count(&DispatchCounters::closed_as_suspect)},
            {"lost_lines", lost_lines(pool.config().output, outputs)},
            {"workers", std::move(workers)},
            {"leaving", std::move(leaving)}};
}

} // namespace

std::string describe(const StatusFacts& facts)
{
    const bool all_serve = std::ranges::all_of(facts.pools, [](const auto& pool) {
        const auto state = state_of(facts_of(*pool));
        return state == PoolState::stopping || state == PoolState::serving;
    });
    Json json{{"version", USHER_VERSION},
              {"pid", ::getpid()},
              {"ready", all_serve && !facts.stopping},
              {"stopping", facts.stopping},
              {"reload", describe(facts.reloader)},
              {"stderr_lost_lines", facts.outputs.lost_lines()},
              {"pools", Json::array()}};
    for (const auto& pool : facts.pools)
        json["pools"].push_back(describe(*pool, facts.outputs));
    for (std::size_t i = 0; i < event_kinds; ++i) {
        const auto kind = static_cast<EventKind>(i);
        json["events"][std::string{name_of(kind)}] = facts.events.count(kind);
    }
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

} // namespace usher
