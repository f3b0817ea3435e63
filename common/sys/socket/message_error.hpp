// SPDX-License-Identifier: MIT
#pragma once

#include <system_error>
#include <type_traits>

namespace usher::sys {

/// What can end a receive and has no errno.
enum class MessageError {
    peer_closed = 1,   ///< no process holds the other end any more, or it was shut down
    fds_dropped,       ///< the kernel had no room for all descriptors: RLIMIT_NOFILE is reached
    payload_truncated, ///< the packet was longer than the buffer
};

[[nodiscard]] std::error_code make_error_code(MessageError error) noexcept;

/// What an error of a send means: true if it can be tried again later, because the queue is full,
/// too many descriptors are in flight, or memory is short (unix(7), send(2)).  Any other is the end
/// of this way: EPIPE, ECONNRESET and ENOTCONN that nobody reads at the other side any more.
[[nodiscard]] bool is_back_pressure(std::error_code error) noexcept;

} // namespace usher::sys

template <>
struct std::is_error_code_enum<usher::sys::MessageError> : std::true_type {
};
