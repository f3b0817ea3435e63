// SPDX-License-Identifier: MIT
#pragma once

#include "common/sys/socket/socket_address.hpp"

#include <string_view>

namespace usher::worker {

/// Reads "8000" (every IPv4 interface), "127.0.0.1:8000", "[::1]:8000" or "unix:/path".
///
/// Throws std::invalid_argument that names the text.
[[nodiscard]] sys::SocketAddress parse_fallback_address(std::string_view text);

} // namespace usher::worker
