// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <vector>

#include <sys/types.h>

namespace usher::sys {

/// What the processes of a group use that are there now.
struct GroupUsage {
    std::chrono::milliseconds cpu{0}; ///< time on processors, in user space and in the kernel
    std::uint64_t memory = 0;         ///< bytes of resident sets, what they share counted for each

    friend bool operator==(const GroupUsage&, const GroupUsage&) = default;
};

/// Of each of `groups` that has a process.  Reads the `stat` of every process of the system
/// (proc_pid_stat(5)), so it is nothing for the event loop.
[[nodiscard]] std::map<pid_t, GroupUsage> usage_of_groups(const std::vector<pid_t>& groups);

/// Of this process alone.
[[nodiscard]] GroupUsage usage_of_this();

} // namespace usher::sys
