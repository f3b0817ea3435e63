// SPDX-License-Identifier: MIT
#pragma once

#include "common/sys/socket/socket_address.hpp"

namespace usher {

/// True if both are one place: the same address and port, or two ways to write one path.
[[nodiscard]] bool is_same(const sys::SocketAddress& a, const sys::SocketAddress& b);

/// True for the address that stands for every interface.
[[nodiscard]] bool is_unspecified(const sys::SocketAddress& address);

/// True if a listener at one may keep another from the other.
[[nodiscard]] bool overlap(const sys::SocketAddress& a, const sys::SocketAddress& b);

} // namespace usher
