// SPDX-License-Identifier: MIT
#pragma once

#include "common/sys/socket_address.hpp"

#include <cstddef>
#include <optional>
#include <vector>

#include <sys/types.h>

namespace usher {

/// How many connections that came in through `listeners` the process and its descendants hold;
/// nothing if the kernel does not let us look.
///
/// For programs that cannot tell us.  It reads /proc, and all TCP connections of the machine with
/// it: only for moments when that is worth it.
[[nodiscard]] std::optional<std::size_t>
count_open_connections(pid_t process, const std::vector<sys::SocketAddress>& listeners);

} // namespace usher
