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

} // namespace usher::sys
