// SPDX-License-Identifier: MIT
#pragma once

#include "common/sys/socket/socket_address.hpp"

#include <string_view>

namespace usher::worker {

/// Reads what parse_listen_address() does but names; a port alone is every IPv4 interface.
///
/// Throws std::invalid_argument with one sentence that names the remedy.
[[nodiscard]] sys::SocketAddress parse_fallback_address(std::string_view text);

} // namespace usher::worker
