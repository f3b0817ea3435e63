// SPDX-License-Identifier: MIT
#pragma once

#include <stdbool.h>
#include <stddef.h>

/// True if `count` more descriptors surely fit, without trying.  Asks /proc, which tells since
/// Linux 6.2 how many are open.
bool uw_is_far_from_fd_limit(size_t count);

/// True if this process can open `count` more descriptors now.
///
/// Asks the kernel by opening and closing that many, because a packet whose descriptors do not all
/// fit arrives with the rest closed (unix(7), MSG_CTRUNC).  `fd` is any open descriptor.  `count`
/// is at most 64.
bool uw_has_fd_headroom(int fd, size_t count);
