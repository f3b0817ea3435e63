// SPDX-License-Identifier: MIT
#pragma once

#include "worker/preload/listening_table.hpp"

#include <cstddef>

#include <sys/socket.h>

namespace usher::preload {

// The options that a program has set on its listening socket, before listen() or after it.  The
// kernel has each connection inherit them (sk_clone_lock() copies the listener's state), but what
// we hand over was accepted from the master's listener, where nobody has set them.  They stand on
// the scoreboard, for all processes of the worker: also one that has the listening socket from
// another program may accept.

/// Notes what is set on `fd`, which is about to become the listening socket of `queue`: what
/// differs from a new socket of `family`.  `is_only`: the program has no other for this queue, so
/// what had been noted is forgotten.
void note_options(std::size_t queue, int family, int fd, bool is_only) noexcept;

/// setsockopt(2) on a listening socket: fails as a TCP socket's would, and is noted if connections
/// inherit it.
int set_listening_option(const Listening& entry, int level, int option, const void* value,
                         socklen_t size) noexcept;

/// getsockopt(2) on a listening socket.
int get_listening_option(const Listening& entry, int level, int option, void* value,
                         socklen_t* size) noexcept;

/// Sets on a connection of `queue` what it would have inherited: no system call if nothing was set.
void inherit_options(std::size_t queue, int connection) noexcept;

} // namespace usher::preload
