// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/run_as_config.hpp"

#include <optional>
#include <string>
#include <vector>

#include <sys/resource.h>
#include <sys/types.h>

namespace usher {

/// What a child becomes between fork() and exec(), ready for the system calls: nothing there may
/// look up a name or ask for memory.  What is not set stays the parent's.
struct RunAs {
    struct Limit {
        std::string name; ///< for messages
        int resource;
        rlimit value;
    };

    std::vector<Limit> limits;
    std::optional<int> nice;
    std::string oom_score_adj;           ///< as the kernel reads it
    std::vector<unsigned long> cpu_mask; ///< as sched_setaffinity(2) takes it
    std::optional<mode_t> umask;
    std::optional<std::vector<gid_t>> groups;
    std::optional<gid_t> group;
    std::optional<uid_t> user;
    bool no_new_privs = false;

    std::string user_name;  ///< for messages
    std::string group_name; ///< for messages
};

/// `config` for the worker in `slot`, from 1.
[[nodiscard]] RunAs make_run_as(const RunAsConfig& config, unsigned slot);

} // namespace usher
