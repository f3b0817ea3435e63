// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/process/child_process.hpp"

#include <string>

namespace usher {

/// What is done between fork() and exec(), in this order.  `none`, and so exec() itself, is first,
/// because its failure is a bare errno.
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

/// What failed in the child.  Boost.Process brings home nothing but an errno, so that the rest
/// travels in its upper bits.
struct SetupFailure {
    SetupStep step = SetupStep::none;
    unsigned which = 0; ///< of `limits`
    int error = 0;

    friend bool operator==(const SetupFailure&, const SetupFailure&) = default;

    static constexpr int step_shift = 16;
    static constexpr int which_shift = 24;

    [[nodiscard]] constexpr int packed() const noexcept
    {
        return error | static_cast<int>(step) << step_shift |
               static_cast<int>(which) << which_shift;
    }

    [[nodiscard]] static constexpr SetupFailure unpack(int value) noexcept
    {
        const int step_mask = (1 << (which_shift - step_shift)) - 1;
        return {.step = static_cast<SetupStep>(value >> step_shift & step_mask),
                .which = static_cast<unsigned>(value >> which_shift),
                .error = value & ((1 << step_shift) - 1)};
    }
};

/// The failure of starting `command`, whose program is the file `path`, as one sentence.
[[nodiscard]] std::string describe(const SetupFailure& failure,
                                   const ChildProcess::Command& command, const std::string& path);

} // namespace usher
