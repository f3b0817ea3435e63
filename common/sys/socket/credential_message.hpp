// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <span>
#include <system_error>

#include <sys/socket.h>

namespace usher::sys {

/// Receives one datagram of a socket with SO_PASSCRED into `buffer`, and who sent it into `sender`
/// (unix(7)).  Descriptors that came with it are closed; what does not fit is cut off.
///
/// std::errc::operation_would_block: nothing is there.
[[nodiscard]] std::error_code recv_with_credentials(int socket, std::span<char> buffer,
                                                    std::size_t& size, ucred& sender);

} // namespace usher::sys
