// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/run_as_config.hpp"

#include <cstdint>
#include <string>
#include <vector>

#include <sys/resource.h>

namespace usher {

/// What a child becomes between fork() and exec(), ready for the system calls: nothing there may
/// look up a name or ask for memory.  What is not set stays the parent's.
struct RunAs {
    struct Limit {
        std::string name; ///< for messages
        int resource;
        rlimit value;
    };

    RunAsConfig config;
    std::vector<Limit> limits;           ///< its `rlimits`
    std::string oom_score_adj;           ///< as the kernel reads it
    std::vector<unsigned long> cpu_mask; ///< as sched_setaffinity(2) takes it
    std::uint64_t capabilities = 0;      ///< a bit for each that is ambient
    bool is_other_user = false;
    bool no_new_privs = false;
};

/// `config` for the worker in `slot`, from 1.
[[nodiscard]] RunAs make_run_as(const RunAsConfig& config, unsigned slot);

} // namespace usher
