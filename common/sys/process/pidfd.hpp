// SPDX-License-Identifier: MIT
#pragma once

#include "common/sys/fd/unique_fd.hpp"
#include "common/sys/process/exit_status.hpp"

#include <optional>
#include <system_error>

#include <sys/types.h>

namespace usher::sys {

/// pidfd_open(2): a descriptor that names the process `pid` and becomes readable at its end.
///
/// The process must be a child of ours that was not waited for, or its number may already be
/// somebody else's.  Throws std::system_error.
[[nodiscard]] UniqueFd open_pidfd(pid_t pid);

/// pidfd_send_signal(2): cannot hit a stranger, whatever became of the number.
[[nodiscard]] std::error_code send_signal(int pidfd, int signal) noexcept;

/// True once the child behind `pidfd` has ended; leaves it a zombie, so its number stays taken.
[[nodiscard]] bool has_ended(int pidfd) noexcept;

/// Takes the exit status of the child behind `pidfd`; nothing while it still runs.
[[nodiscard]] std::optional<ExitStatus> reap(int pidfd) noexcept;

} // namespace usher::sys
