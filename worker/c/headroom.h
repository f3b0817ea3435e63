// SPDX-License-Identifier: MIT
#pragma once

#include <stdbool.h>
#include <stddef.h>

/// True if the descriptors of one packet fit.  No need to ask while `mark` is not 0.
///
/// The kernel gives the lowest free number.  So once the last numbers below RLIMIT_NOFILE were seen
/// to be free, they stay free until somebody gets one of them.  They are enough for a packet, and
/// for a program that opens three more for each connection of the one before.  `mark` is the first
/// of them, if they are free; the caller makes it 0 when it has received one that is not below it.
bool uw_find_fd_reserve(int* mark);

/// True if this process can open `count` more descriptors now.
///
/// Asks the kernel by opening and closing that many, because a packet whose descriptors do not all
/// fit arrives with the rest closed (unix(7), MSG_CTRUNC).  `fd` is any open descriptor.  `count`
/// is at most 64.
bool uw_has_fd_headroom(int fd, size_t count);
