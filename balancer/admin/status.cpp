// SPDX-License-Identifier: MIT
#include "balancer/admin/status.hpp"

#include "balancer/config/units/slot_text.hpp"
#include "balancer/events/time_text.hpp"
#include "balancer/pool/pool_facts.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <unistd.h>

namespace usher {

namespace {

using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

std::string_view name_of(WorkerLifecycle::State state) noexcept
{
    constexpr std::array<std::string_view, 6> names{"starting", "probing",     "ready",
                                                    "draining", "terminating", "killing"};
    return names[static_cast<std::size_t>(state)];
}

/// A figure is null where nobody can tell.
Json describe(WorkerSlot& slot, std::optional<std::uint64_t> leader)
{
    Json json{{"slot", slot.identity().slot}, {"generation", slot.identity().generation}};
    if (auto* const worker = slot.worker()) {
        json["state"] = name_of(worker->state());
        json["pid"] = worker->pid();
        json["worker"] = worker->identity().id;
        json["uptime_ms"] = worker->age().count();
        const auto known = worker->figures();
        json["handed_off"] = known ? Json(known->handed_off) : Json();
        json["queued"] = known ? Json(known->queued) : Json();
        json["open"] = known && known->open ? Json(*known->open) : Json();
        json["lost_messages"] = worker->lost_messages();
        if (leader == worker->identity().id)
            json["leader"] = true;
        if (!worker->says().empty())
            json["says"] = worker->says();
    } else {
        json["state"] = slot.has_failed()   ? "failed"
                        : slot.is_over()    ? "stopped"
                        : slot.is_failing() ? "failing"
                                            : "waiting";
    }
    json["starts"] = slot.starts();
    if (!slot.last_failure().empty())
        json["last_failure"] = slot.last_failure();
    return json;
}

/// Those of the pool's own `file`, or of the files of its slots.
std::uint64_t lost_lines_of(const Pool& pool, const std::string& file, const Outputs& outputs)
{
    if (!has_slot(file))
        return outputs.lost_lines(fill_slot(file, 0));
    std::uint64_t lost = 0;
    for (unsigned slot = 1; slot <= pool.slots().size(); ++slot)
        lost += outputs.lost_lines(fill_slot(file, slot));
    return lost;
}

Json describe(const Reloader& reloader)
{
    Json json{{"running", reloader.is_running()}, {"last", nullptr}};
    if (const auto& last = reloader.last()) {
        const auto age = std::max(std::chrono::system_clock::now() - last->ended, // may be set back
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

Json describe(const Store& store)
{
    return {
        {"keys", store.entries().size()}, {"bytes", store.bytes()}, {"revision", store.revision()}};
}

Json describe(Pool& pool, const Outputs& outputs)
{
    const auto bus = pool.bus();
    const auto leader = bus ? bus->router().leader(pool.config().name) : std::nullopt;
    const auto describe_all = [&](const auto& slots) {
        Json all = Json::array();
        for (const auto& slot : slots)
            all.push_back(describe(*slot, leader));
        return all;
    };
    const auto known = pool.intake().counters();
    const auto count = [&](std::uint64_t DispatchCounters::*counter) {
        return known ? Json((*known).*counter) : Json();
    };
    // Of its own file: usher does not see what workers inherit, and on standard error there are
    // those of others.
    const auto& output = pool.config().output;
    const bool has_files = !output.file.empty() || !output.errors.empty();
    auto lost_lines = has_files ? Json(lost_lines_of(pool, output.file, outputs) +
                                       lost_lines_of(pool, output.errors, outputs))
                                : Json();
    const auto workers = pool.worker_count();
    return {{"name", pool.config().name},
            {"state", name_of(state_of(facts_of(pool)))},
            {"dialect", name_of(pool.intake().found().value_or(pool.config().dialect))},
            {"generation", pool.generation()},
            {"listening", pool.intake().names()},
            {"handed_off", count(&DispatchCounters::handed_off)},
            {"reclaimed", count(&DispatchCounters::reclaimed)},
            {"moved", count(&DispatchCounters::moved)},
            {"closed_as_suspect", count(&DispatchCounters::closed_as_suspect)},
            {"lost_lines", std::move(lost_lines)},
            {"bus_share", pool.config().bus.share.empty() ? Json() : Json(pool.config().bus.share)},
            {"store", bus ? describe(bus->keeper().store()) : Json()},
            {"configured_workers", workers.configured()},
            {"scaled_to", workers.is_scaled() ? Json(workers.wanted()) : Json()},
            {"workers", describe_all(pool.slots())},
            {"leaving", describe_all(pool.leaving())}};
}

} // namespace

std::string describe(const std::vector<std::shared_ptr<Pool>>& pools, const EventBus& events,
                     const Outputs& outputs, const Reloader& reloader, bool stopping)
{
    const bool all_serve = std::ranges::all_of(pools, [](const auto& pool) {
        const auto state = state_of(facts_of(*pool));
        return state == PoolState::stopping || state == PoolState::serving;
    });
    Json json{{"version", USHER_VERSION},        {"pid", ::getpid()},
              {"ready", all_serve && !stopping}, {"stopping", stopping},
              {"reload", describe(reloader)},    {"stderr_lost_lines", outputs.lost_lines()},
              {"pools", Json::array()}};
    for (const auto& pool : pools)
        json["pools"].push_back(describe(*pool, outputs));
    for (std::size_t i = 0; i < event_kinds; ++i) {
        const auto kind = static_cast<EventKind>(i);
        json["events"][std::string{name_of(kind)}] = events.count(kind);
    }
    return json.dump(-1, ' ', true, Json::error_handler_t::replace);
}

} // namespace usher
