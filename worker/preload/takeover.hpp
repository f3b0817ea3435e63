// SPDX-License-Identifier: MIT
#pragma once

#include "worker/preload/address.hpp"
#include "worker/preload/listening_table.hpp"

#include <optional>

namespace usher::preload {

/// True if the master might serve a socket that is bound to `address`.
[[nodiscard]] bool might_match(const Address& address) noexcept;

/// Before bind(2): where the pool listens where the program does, the master is to be able to
/// listen beside the program's socket, which is bound and never listens itself (SO_REUSEADDR,
/// socket(7)).
void prepare_bind(int fd) noexcept;

/// After bind(2) has failed: false if the master has not the address either.
[[nodiscard]] bool may_bind(int fd, const Address& wanted) noexcept;

/// True if `path`, seen from the folder `folder`, is the file of the pool's Unix socket: it is the
/// master's, while the program believes it to be one that it has left over, or made.
[[nodiscard]] bool is_pools_file(int folder, const char* path) noexcept;

/// True if `address` is that of the pool's Unix socket, of which the program must not know yet that
/// somebody listens there: it has not listened itself.
[[nodiscard]] bool is_still_free(const sockaddr* address, socklen_t size) noexcept;

/// Replaces `fd`, a stream socket that is bound to `wanted`, or that the program believes to be, by
/// a hand-off socket.  Returns what listen() is to; nothing if that is not one of the pool's
/// addresses, so that the program listens by itself.
[[nodiscard]] std::optional<int> take_over(int fd, const Address& wanted) noexcept;

/// The entry of a descriptor that the program did not get by listen() but, say, by dup() or from
/// its parent; null if it is no hand-off socket.
[[nodiscard]] Listening* recognize(int fd) noexcept;

/// Duplicates `replacement` to the number of `entry`, and keeps that number's flags and epoll
/// registrations.
void replace(const Listening& entry, int replacement) noexcept;

} // namespace usher::preload
