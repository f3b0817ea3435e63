// SPDX-License-Identifier: MIT
#pragma once

#include "common/sys/proc/group_usage.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <sys/types.h>

namespace usher {

/// A worker process at one moment.
struct ProcessSnapshot {
    pid_t pid = 0;
    std::uint64_t worker = 0; ///< its number, which no other process has
    std::chrono::milliseconds age{0};

    // Of connections; nothing where nobody can tell.
    std::optional<std::uint64_t> handed_off;
    std::optional<std::uint64_t> queued;
    std::optional<std::uint64_t> open;
    std::optional<std::uint64_t> moved; ///< from behind it to others
    std::optional<std::uint64_t> load;  ///< as it measures it itself
    std::optional<double> connections_per_second;

    // Of it and all that is in its process group; nothing where that cannot be read.
    std::optional<double> cpu_percent; ///< of one processor
    std::optional<std::uint64_t> memory;

    std::uint64_t lost_messages = 0; ///< of the bus
    bool is_leader = false;
    std::string says; ///< of itself; empty if nothing
};

/// A slot of a pool at one moment, and the worker in it.
struct WorkerSnapshot {
    unsigned slot = 0;
    unsigned generation = 0;
    std::string_view state;
    std::optional<ProcessSnapshot> process; ///< nothing between two
    std::uint64_t starts = 0;
    std::string last_exit; ///< why the last one ended or could not be started; empty if none did
};

} // namespace usher
