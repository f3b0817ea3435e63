// SPDX-License-Identifier: MIT
#pragma once

#include "common/sys/fd/unique_fd.hpp"
#include "common/sys/socket/socket_address.hpp"

#include <cstddef>
#include <optional>
#include <system_error>

namespace usher::sys {

/// accept4(2) with SOCK_NONBLOCK and SOCK_CLOEXEC; fills `connection` and `peer`.
///
/// std::errc::operation_would_block: nothing waits.  Errors that accept(2) passes on from a
/// connection that died in the queue (ECONNABORTED, EPROTO and the network's own) are noise for
/// the listener: see is_accept_noise().
[[nodiscard]] std::error_code accept_connection(int listener, UniqueFd& connection,
                                                SocketAddress& peer) noexcept;

/// True if `error` belongs to the one connection that accept4() looked at: try the next one.
[[nodiscard]] bool is_accept_noise(std::error_code error) noexcept;

/// True if `error` says that descriptors or memory have run out: pause, then try again.
[[nodiscard]] bool is_out_of_resources(std::error_code error) noexcept;

/// How many connections wait for somebody to accept them from a TCP socket that listens; nothing if
/// the kernel does not tell, as of a Unix socket.
[[nodiscard]] std::optional<std::size_t> waiting_in_backlog(int socket) noexcept;

} // namespace usher::sys
