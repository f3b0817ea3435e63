// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/dialect/proc.hpp"

#include <set>

#include <sys/types.h>

namespace usher {

/// Looks in /proc whether `process` or a descendant waits for connections on one of `sockets`,
/// which are given by their inodes: by epoll, or in a blocking accept().  poll() and select() show
/// nothing of what they wait for, and neither does what `walk` comes to no more.  May wait for the
/// worker, whose locks the kernel takes: not for the event loop.
[[nodiscard]] bool waits_on(const std::set<ino_t>& sockets, pid_t process, proc::Walk walk = {});

} // namespace usher
