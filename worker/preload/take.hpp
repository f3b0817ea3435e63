// SPDX-License-Identifier: MIT
#pragma once

#include "worker/preload/listening_table.hpp"

#include <sys/socket.h>

namespace usher::preload {

/// accept4(2) for a hand-off socket: returns the new descriptor, or -1 and errno.
///
/// ENOTSOCK: `entry` is out of date; its number is another file now.
[[nodiscard]] int take_connection(const Listening& entry, int fd, sockaddr* address,
                                  socklen_t* size, int flags) noexcept;

} // namespace usher::preload
