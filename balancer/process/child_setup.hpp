// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/process/child_process.hpp"
#include "balancer/process/setup_failure.hpp"

#include <optional>

namespace usher {

/// Makes the child what `command` says, between fork() and exec(): async-signal-safe calls only,
/// no memory, no names.  `master` is who forks; of its descriptors only `kept` stays, besides the
/// child's own.  Nothing if all is done.
[[nodiscard]] std::optional<SetupFailure> set_up_child(const ChildProcess::Command& command,
                                                       pid_t master, int kept) noexcept;

} // namespace usher
