// SPDX-License-Identifier: MIT
#include "balancer/admin/snapshot/take_snapshot.hpp"

#include "balancer/config/units/slot_text.hpp"
#include "balancer/pool/pool_facts.hpp"

#include <algorithm>
#include <cstddef>
#include <string>

#include <unistd.h>

namespace usher {

namespace {

using Clock = std::chrono::steady_clock;

std::string_view name_of(WorkerLifecycle::State state) noexcept
{
    constexpr std::array<std::string_view, 6> names{"starting", "probing",     "ready",
                                                    "draining", "terminating", "killing"};
    return names[static_cast<std::size_t>(state)];
}

ProcessSnapshot snapshot_of(const WorkerProcess& worker, Clock::time_point now, bool is_leader)
{
    ProcessSnapshot process{.pid = worker.pid(),
                            .worker = worker.identity().id,
                            .age = worker.age(),
                            .connections_per_second = worker.connections_per_second(now),
                            .lost_messages = worker.lost_messages(),
                            .is_leader = is_leader,
                            .says = worker.says()};
    if (const auto known = worker.figures()) {
        process.handed_off = known->handed_off;
        process.queued = known->queued;
        process.open = known->open;
        process.moved = known->moved;
        process.load = known->load;
    }
    return process;
}

WorkerSnapshot snapshot_of(WorkerSlot& slot, Clock::time_point now,
                           std::optional<std::uint64_t> leader)
{
    const auto* const worker = slot.worker();
    WorkerSnapshot snapshot{.slot = slot.identity().slot,
                            .generation = slot.identity().generation,
                            .state = worker != nullptr   ? name_of(worker->state())
                                     : slot.has_failed() ? "failed"
                                     : slot.is_over()    ? "stopped"
                                     : slot.is_failing() ? "failing"
                                                         : "waiting",
                            .process = {},
                            .starts = slot.starts(),
                            .last_exit = slot.last_failure()};
    if (worker != nullptr)
        snapshot.process = snapshot_of(*worker, now, leader == worker->identity().id);
    return snapshot;
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

PoolSnapshot snapshot_of(const Pool& pool, Clock::time_point now, const Outputs& outputs)
{
    const auto& config = pool.config();
    const auto count = pool.worker_count();
    PoolSnapshot snapshot{.name = config.name,
                          .state = name_of(state_of(facts_of(pool))),
                          .dialect = name_of(pool.intake().found().value_or(config.dialect)),
                          .generation = pool.generation(),
                          .listeners = pool.intake().listening(),
                          .connections = pool.intake().counters(),
                          .lost_lines = {},
                          .bus_share = config.bus.share,
                          .store = {},
                          .configured_workers = count.configured(),
                          .scaled_to = {},
                          .workers = {},
                          .leaving = {}};
    // Of its own file: usher does not see what workers inherit, and on standard error there are
    // those of others.
    if (!config.output.file.empty() || !config.output.errors.empty())
        snapshot.lost_lines = lost_lines_of(pool, config.output.file, outputs) +
                              lost_lines_of(pool, config.output.errors, outputs);
    if (count.is_scaled())
        snapshot.scaled_to = count.wanted();

    std::optional<std::uint64_t> leader;
    if (const auto bus = pool.bus()) {
        leader = bus->router().leader(config.name);
        const auto& store = bus->keeper().store();
        snapshot.store = StoreSnapshot{
            .keys = store.entries().size(), .bytes = store.bytes(), .revision = store.revision()};
    }
    for (const auto& slot : pool.slots())
        snapshot.workers.push_back(snapshot_of(*slot, now, leader));
    for (const auto& slot : pool.leaving())
        snapshot.leaving.push_back(snapshot_of(*slot, now, leader));
    return snapshot;
}

} // namespace

MasterSnapshot take_snapshot(const std::vector<std::shared_ptr<Pool>>& pools,
                             const EventBus& events, const Outputs& outputs,
                             const Reloader& reloader, bool is_stopping, Clock::time_point started)
{
    const auto now = Clock::now();
    MasterSnapshot snapshot{
        .time = std::chrono::system_clock::now(),
        .pid = ::getpid(),
        .age = std::chrono::duration_cast<std::chrono::milliseconds>(now - started),
        .is_stopping = is_stopping,
        .is_reloading = reloader.is_running(),
        .last_reload = reloader.last(),
        .lost_lines = outputs.lost_lines()};
    bool all_serve = true;
    for (const auto& pool : pools) {
        const auto state = state_of(facts_of(*pool));
        all_serve &= state == PoolState::stopping || state == PoolState::serving;
        snapshot.pools.push_back(snapshot_of(*pool, now, outputs));
    }
    snapshot.is_ready = all_serve && !is_stopping;
    for (std::size_t i = 0; i < event_kinds; ++i)
        snapshot.events[i] = events.count(static_cast<EventKind>(i));
    return snapshot;
}

} // namespace usher
