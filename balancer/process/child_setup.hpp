// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/process/child_process.hpp"

#include <optional>
#include <string>

namespace usher {

/// What failed in the child.
struct SetupFailure {
    unsigned step = ~0U; ///< or it is exec() itself
    unsigned limit = 0;  ///< which of the `rlimits`
    int error = 0;
};

/// Makes the child what `command` says, between fork() and exec(): async-signal-safe calls only,
/// no memory, no names.  `master` is who forks; of its descriptors only `kept` stays, besides the
/// child's own.  Nothing if all is done.
[[nodiscard]] std::optional<SetupFailure> set_up_child(const ChildProcess::Command& command,
                                                       pid_t master, int kept) noexcept;

/// The failure of starting `command`, whose program is the file `path`, as one sentence.
[[nodiscard]] std::string describe(const SetupFailure& failure,
                                   const ChildProcess::Command& command, const std::string& path);

} // namespace usher
