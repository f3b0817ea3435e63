// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace usher {

/// A soft and a hard limit of setrlimit(2).
struct LimitConfig {
    static constexpr std::uint64_t unlimited = std::numeric_limits<std::uint64_t>::max();

    std::uint64_t soft = unlimited;
    std::uint64_t hard = unlimited;

    friend bool operator==(const LimitConfig&, const LimitConfig&) = default;
};

/// The CPUs a worker may run on; neither: the master's own.
struct AffinityConfig {
    bool by_slot = false;       ///< `auto`: each slot has one of the CPUs the master may use
    std::vector<unsigned> cpus; ///< the same for all

    friend bool operator==(const AffinityConfig&, const AffinityConfig&) = default;
};

/// Whether each worker gets a cgroup of its own, with which all it has started can be killed.
enum class CgroupMode {
    automatic, ///< where the master's own cgroup was evidently delegated to it
    on,
    off,
};

/// What a worker runs as.  What is not set stays the master's.
struct RunAsConfig {
    std::string user;                               ///< a name or a number
    std::string group;                              ///< empty: the user's own
    std::optional<std::vector<std::string>> groups; ///< unset: the user's own

    std::optional<unsigned> umask;
    std::map<std::string, LimitConfig> rlimits; ///< by their names in resource_names
    std::optional<int> nice;
    std::optional<int> oom_score_adj;
    AffinityConfig cpu_affinity;
    std::optional<bool> no_new_privs; ///< unset: for another user's workers
    std::vector<unsigned> ambient_capabilities;
    CgroupMode cgroup = CgroupMode::automatic;
    bool clear_env = false; ///< of the master's environment, only PATH

    friend bool operator==(const RunAsConfig&, const RunAsConfig&) = default;
};

} // namespace usher
