// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/admin/snapshot/worker_snapshot.hpp"
#include "balancer/dialect/listening.hpp"
#include "balancer/dispatch/dispatch_counters.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace usher {

/// What the workers of a pool share, at one moment.
struct StoreSnapshot {
    std::uint64_t keys = 0;
    std::uint64_t bytes = 0;
    std::uint64_t revision = 0;
};

/// A pool at one moment.
struct PoolSnapshot {
    std::string name;
    std::string_view state;
    std::string_view dialect;
    unsigned generation = 0;
    std::vector<Listening> listeners;
    std::optional<DispatchCounters> connections;
    std::optional<std::uint64_t> lost_lines; ///< on their way to its own files
    std::string bus_share;                   ///< empty: its bus is its own
    std::optional<StoreSnapshot> store;
    unsigned configured_workers = 0;
    std::optional<unsigned> scaled_to; ///< by somebody, instead
    std::vector<WorkerSnapshot> workers;
    std::vector<WorkerSnapshot> leaving;
};

} // namespace usher
