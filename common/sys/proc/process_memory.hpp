// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <system_error>

#include <sys/types.h>

namespace usher::sys {

/// Sets `bytes` to the proportional set size of a process: the memory it has for itself, and its
/// share of what it shares with others (proc_pid_smaps(5), `smaps_rollup`, Linux 4.14).
///
/// The kernel walks the process's page tables for it: milliseconds for a large one.
[[nodiscard]] std::error_code proportional_set_size(pid_t pid, std::uint64_t& bytes);

} // namespace usher::sys
