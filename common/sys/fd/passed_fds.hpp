// SPDX-License-Identifier: MIT
#pragma once

#include "common/sys/fd/unique_fd.hpp"

#include <cstddef>
#include <span>
#include <vector>

#include <sys/socket.h>

/// Descriptors on messages of Unix sockets, SCM_RIGHTS of unix(7): what our calls have in common.
namespace usher::sys {

/// The kernel's SCM_MAX_FD: no message carries more descriptors than this.
inline constexpr std::size_t max_fds_per_message = 253;

/// How much room `count` descriptors take in a message's control part.
[[nodiscard]] constexpr std::size_t control_space(std::size_t count) noexcept
{
    return CMSG_SPACE(count * sizeof(int));
}

/// Has `header` carry `fds`, which stay the caller's; `control` has room for them, is aligned as a
/// cmsghdr, and must stay until the message is sent.  Does nothing if there are none.
void attach_fds(msghdr& header, std::span<std::byte> control, std::span<const int> fds) noexcept;

/// Takes ownership of every descriptor in `header`.  `fds` must have room for all of them:
/// a descriptor lost to an exception here could never be closed.
void adopt_fds(msghdr& header, std::vector<UniqueFd>& fds) noexcept;

/// Closes descriptors that nobody wants and that came from somebody else, without waiting: a
/// socket that lingers (socket(7)) would keep us for as long as its sender likes.
void discard_fds(std::vector<UniqueFd>& fds) noexcept;

} // namespace usher::sys
