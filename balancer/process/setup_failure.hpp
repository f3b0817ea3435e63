// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/process/child_process.hpp"

#include <string>

namespace usher {

/// What is done between fork() and exec(), in this order; `none` is exec() itself.
enum class SetupStep : int {
    none = 0,
    process_group,
    cgroup,
    signals,
    descriptors,
    limits,
    nice,
    oom_score,
    affinity,
    groups,
    group,
    user,
    cwd,
    no_new_privs,
    end_signal,
};

/// What failed in the child.
struct SetupFailure {
    SetupStep step = SetupStep::none;
    unsigned which = 0; ///< of `limits`
    int error = 0;
};

/// The failure of starting `command`, whose program is the file `path`, as one sentence.
[[nodiscard]] std::string describe(const SetupFailure& failure,
                                   const ChildProcess::Command& command, const std::string& path);

} // namespace usher
