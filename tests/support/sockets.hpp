// SPDX-License-Identifier: MIT
#pragma once

#include "common/sys/fd/unique_fd.hpp"
#include "common/sys/socket/socket_address.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

/// Plain blocking sockets.  What fails throws std::system_error, what takes longer than
/// `socket_patience` std::runtime_error.
namespace usher::test {

inline constexpr std::chrono::seconds socket_patience{60};

/// One connection: what the client holds and what a server would accept, non-blocking.
struct Connected {
    sys::UniqueFd client;
    sys::UniqueFd server;
};

/// A connection that came over no listener: a Unix stream pair.
[[nodiscard]] Connected make_connection();

[[nodiscard]] sys::SocketAddress loopback(std::uint16_t port);

struct TestListener {
    sys::UniqueFd fd; ///< non-blocking, close-on-exec
    sys::SocketAddress address;
};

[[nodiscard]] TestListener listen_on(const sys::SocketAddress& address, int backlog = 128);

[[nodiscard]] sys::UniqueFd connect_to(const sys::SocketAddress& address);

/// The address that `fd` is bound to.
[[nodiscard]] sys::SocketAddress address_of(int fd);

/// True if reading from `fd` would not block within `wait`.
[[nodiscard]] bool is_readable(int fd, std::chrono::milliseconds wait = {});

/// Waits until `fd` is readable.
void wait_readable(int fd);

void write_text(int fd, std::string_view text);

/// What comes next, at least one byte; empty at the end.
[[nodiscard]] std::string read_text(int fd);

/// True if nothing but the end comes on `fd`, clean or by a reset.
[[nodiscard]] bool sees_end(int fd);

[[nodiscard]] inline std::span<const std::byte> bytes(std::string_view text)
{
    return std::as_bytes(std::span{text});
}

} // namespace usher::test
