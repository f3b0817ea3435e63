// SPDX-License-Identifier: MIT
#include "common/sys/fd/fd_headroom.hpp"

#include "common/sys/socket/fd_message.hpp"

#include <array>
#include <cassert>

#include <fcntl.h>

namespace usher::sys {

bool has_fd_headroom(int fd, std::size_t count) noexcept
{
    assert(count <= max_fds_per_message);

    std::array<UniqueFd, max_fds_per_message> probes;
    for (std::size_t i = 0; i < count; ++i) {
        probes[i].reset(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
        if (!probes[i])
            return false;
    }
    return true;
}

} // namespace usher::sys
