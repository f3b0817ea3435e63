// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/admin/snapshot/pool_snapshot.hpp"
#include "balancer/events/event.hpp"
#include "balancer/pool/reloader.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include <sys/types.h>

namespace usher {

/// usher at one moment: what status, metrics and whoever else looks from outside are made from.
struct MasterSnapshot {
    std::chrono::system_clock::time_point time;
    pid_t pid = 0;
    std::chrono::milliseconds age{0};
    bool is_ready = false; ///< every pool has a worker that serves, and nobody has told it to stop
    bool is_stopping = false;
    bool is_reloading = false;
    std::optional<Reloader::Record> last_reload;
    std::uint64_t lost_lines = 0; ///< of workers' output on standard error
    std::optional<double> cpu_percent;
    std::optional<std::uint64_t> memory;
    std::vector<PoolSnapshot> pools;
    std::array<std::uint64_t, event_kinds> events{}; ///< how often each kind has happened
};

} // namespace usher
