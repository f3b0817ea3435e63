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

} // namespace usher::sys

template <>
struct std::is_error_code_enum<usher::sys::MessageError> : std::true_type {
};
