// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <optional>

namespace usher::sys {

/// How many connections wait for somebody to accept them from a TCP socket that listens; nothing if
/// the kernel does not tell, as of a Unix socket.
[[nodiscard]] std::optional<std::size_t> waiting_in_backlog(int socket) noexcept;

} // namespace usher::sys
