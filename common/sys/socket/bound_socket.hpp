// SPDX-License-Identifier: MIT
#pragma once

#include "common/sys/fd/unique_fd.hpp"
#include "common/sys/socket/socket_address.hpp"

#include <optional>
#include <system_error>

#include <sys/socket.h>

namespace usher::sys {

/// How a socket is bound; see socket(7), ipv6(7).
struct BindOptions {
    int type = SOCK_STREAM;
    bool reuse_address = false;
    bool reuse_port = false;
    bool v6only = false;               ///< of IPv6
    std::optional<unsigned> backlog{}; ///< none: it does not listen
    std::optional<unsigned> mode{};    ///< of the file of a Unix socket; none: the umask decides
};

/// Opens a socket bound to `address`, non-blocking.  Nothing stays open after an error.
[[nodiscard]] std::error_code open_bound_socket(const SocketAddress& address,
                                                const BindOptions& options, UniqueFd& socket);

/// A number that the kernel knows of `socket`, at SOL_SOCKET; -1 if it is none.
[[nodiscard]] int socket_option(int socket, int option) noexcept;

/// From now on nobody who has `socket` can choose what comes to it, or steer its SO_REUSEPORT
/// group, by a BPF program: SO_LOCK_FILTER, socket(7), which nobody can take back.  What it accepts
/// is locked, too.
void lock_filter(int socket) noexcept;

/// Makes `socket` no longer ours: nobody who has it can listen with it any more where one
/// of ours listens, though both have SO_REUSEPORT.  Without CAP_CHOWN nothing changes.
void disown(int socket) noexcept;

/// Where `socket` is bound.
[[nodiscard]] std::error_code read_bound_address(int socket, SocketAddress& address) noexcept;

} // namespace usher::sys
