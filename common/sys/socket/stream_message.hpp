// SPDX-License-Identifier: MIT
#pragma once

#include "common/sys/fd/unique_fd.hpp"

#include <cstddef>
#include <span>
#include <system_error>
#include <vector>

namespace usher::sys {

/// Sends the beginning of `bytes` on an AF_UNIX stream socket, with `fd` on the first of them; -1
/// sends none.  `sent` is how many went: if any did, so did the descriptor.
///
/// std::errc::operation_would_block and ETOOMANYREFS (unix(7)) are back-pressure.
[[nodiscard]] std::error_code send_stream(int socket, std::span<const std::byte> bytes, int fd,
                                          std::size_t& sent) noexcept;

/// What one read of a stream socket brought.  Reuse the object.
struct StreamChunk {
    std::size_t size = 0;
    std::vector<UniqueFd> fds; ///< close-on-exec, in the order in which they were sent
    bool fds_dropped = false;  ///< the kernel had no room for all: RLIMIT_NOFILE is reached
};

/// Receives what is there, at least one byte, into `buffer` and `chunk`.
///
/// MessageError::peer_closed is the end; std::errc::operation_would_block: nothing is there.
[[nodiscard]] std::error_code recv_stream(int socket, std::span<std::byte> buffer,
                                          StreamChunk& chunk);

} // namespace usher::sys
