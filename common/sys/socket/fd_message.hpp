// SPDX-License-Identifier: MIT
#pragma once

#include "common/sys/fd/unique_fd.hpp"

#include <cstddef>
#include <span>
#include <system_error>
#include <vector>

#include <sys/socket.h>

namespace usher::sys {

/// The kernel's SCM_MAX_FD: no message carries more descriptors than this.
inline constexpr std::size_t max_fds_per_message = 253;

/// What one receive brought.  Reuse the object: its vector keeps its capacity.
struct FdMessage {
    std::size_t size = 0;      ///< 0: the other end was closed or shut down
    std::vector<UniqueFd> fds; ///< close-on-exec, in the order in which they were sent
    bool fds_dropped = false;  ///< the kernel had no room for all: RLIMIT_NOFILE is reached
    bool is_cut = false;       ///< of a packet that was longer than the buffer
    ucred sender{};            ///< of a socket with SO_PASSCRED (unix(7)); else nobody
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

/// Sends the beginning of `bytes` on an AF_UNIX stream socket, with `fd` on the first of them; -1
/// sends none.  `sent` is how many went: if any did, so did the descriptor.
///
/// What an error means says is_back_pressure().
[[nodiscard]] std::error_code send_stream(int socket, std::span<const std::byte> bytes, int fd,
                                          std::size_t& sent) noexcept;

/// What an error of a send means: true if it can be tried again later, because the queue is full,
/// too many descriptors are in flight, or memory is short (unix(7), send(2)).  Any other is the end
/// of this way: EPIPE, ECONNRESET and ENOTCONN that nobody reads at the other side any more.
[[nodiscard]] bool is_back_pressure(std::error_code error) noexcept;

/// Receives one packet, or what is there of a stream, into `buffer` and `message`, without waiting.
///
/// After an error `message` is empty.  std::errc::operation_would_block: nothing is there.
[[nodiscard]] std::error_code recv_with_fds(int socket, std::span<std::byte> buffer,
                                            FdMessage& message);

/// The same, but takes no descriptor: those that came are closed by the kernel, which may wait for
/// that when it is the last close, and `fds_dropped` says so.  With MSG_PEEK as `flags` the message
/// stays, and nothing waits.  An empty `buffer` looks for a message only.
[[nodiscard]] std::error_code recv_without_fds(int socket, std::span<std::byte> buffer,
                                               FdMessage& message, int flags = 0) noexcept;

/// Takes back what others who have `socket`, too, may have set: where a look begins (SO_PEEK_OFF),
/// and what comes besides descriptors, so that these find room, unix(7).
void reset_receiving(int socket) noexcept;

/// True if `message`, just received, is the end of what `socket` brings, and no empty message:
/// every one of those has a sender, on a socket with SO_PASSCRED.
[[nodiscard]] bool is_end(int socket, const FdMessage& message) noexcept;

/// Has the kernel refuse all that would bring descriptors to `socket`, with EPERM: SO_PASSRIGHTS.
/// False before Linux 6.16.
[[nodiscard]] bool refuse_fds(int socket) noexcept;

/// Copies the start of the next packet into `buffer` and leaves packet and descriptors where
/// they are.  `size` is how much of the buffer was filled; 0: see FdMessage.
[[nodiscard]] std::error_code peek_message(int socket, std::span<std::byte> buffer,
                                           std::size_t& size) noexcept;

/// True if this process can open `count` more descriptors now.
///
/// Asks the kernel by opening and closing that many, because a packet whose descriptors do not
/// all fit arrives with the rest closed (unix(7), MSG_CTRUNC): their clients would be reset.
/// `fd` is any open descriptor.  `count` is at most max_fds_per_message.
[[nodiscard]] bool has_fd_headroom(int fd, std::size_t count) noexcept;

} // namespace usher::sys
