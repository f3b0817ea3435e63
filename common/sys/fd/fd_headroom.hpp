// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

namespace usher::sys {

/// True if this process can open `count` more descriptors now.
///
/// Asks the kernel by opening and closing that many, because a packet whose descriptors do not
/// all fit arrives with the rest closed (unix(7), MSG_CTRUNC): their clients would be reset.
/// `fd` is any open descriptor.  `count` is at most max_fds_per_message.
[[nodiscard]] bool has_fd_headroom(int fd, std::size_t count) noexcept;

/// How many descriptors this process has open; 0 if the kernel does not tell (before Linux 6.2).
[[nodiscard]] std::size_t count_open_fds() noexcept;

/// The soft RLIMIT_NOFILE of this process.
[[nodiscard]] std::size_t fd_limit() noexcept;

} // namespace usher::sys
