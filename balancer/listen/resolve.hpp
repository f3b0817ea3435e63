// SPDX-License-Identifier: MIT
#pragma once

#include "common/sys/socket/socket_address.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace usher {

/// The addresses of `host`, each once, for listening on `port`.  Asks the system's resolver, and
/// waits for its answer.
///
/// Throws std::runtime_error if there are none.
[[nodiscard]] std::vector<sys::SocketAddress> resolve(const std::string& host, std::uint16_t port);

} // namespace usher
