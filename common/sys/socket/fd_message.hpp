// SPDX-License-Identifier: MIT
#pragma once

#include "common/sys/fd/passed_fds.hpp"
#include "common/sys/fd/unique_fd.hpp"
#include "common/sys/socket/message_error.hpp"

#include <cstddef>
#include <span>
#include <system_error>
#include <vector>

namespace usher::sys {

/// One received packet.  Reuse the object: its vector keeps its capacity.
struct FdMessage {
    std::size_t size = 0;
    std::vector<UniqueFd> fds;
};

/// Sends `payload` with `fds` as one packet on a SOCK_SEQPACKET socket.
///
/// All of it is queued or none of it.  The caller keeps its descriptors; the receiver gets
/// new numbers for the same open files, so O_NONBLOCK, socket options and shutdown() are
/// shared from then on, close-on-exec is not.
///
/// `payload` must not be empty: an empty packet reads as end of file.
///
/// What an error means says is_back_pressure().
[[nodiscard]] std::error_code send_with_fds(int socket, std::span<const std::byte> payload,
                                            std::span<const int> fds) noexcept;

/// Receives one packet into `buffer` and `message`, descriptors set close-on-exec.
///
/// After any error `message` is empty and every descriptor that arrived is closed.
[[nodiscard]] std::error_code recv_with_fds(int socket, std::span<std::byte> buffer,
                                            FdMessage& message);

/// Copies the start of the next packet into `buffer` and leaves packet and descriptors where
/// they are.  `size` is how much of the buffer was filled.
[[nodiscard]] std::error_code peek_message(int socket, std::span<std::byte> buffer,
                                           std::size_t& size) noexcept;

} // namespace usher::sys
