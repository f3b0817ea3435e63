// SPDX-License-Identifier: MIT
#include "common/sys/fd/fd_headroom.hpp"

#include "common/sys/socket/fd_message.hpp"

#include <array>
#include <cassert>
#include <limits>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

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

std::size_t count_open_fds() noexcept
{
    struct stat status {};
    return ::stat("/proc/self/fd", &status) == 0 ? static_cast<std::size_t>(status.st_size) : 0;
}

std::size_t fd_limit() noexcept
{
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
        return std::numeric_limits<std::size_t>::max();
    return static_cast<std::size_t>(limit.rlim_cur);
}

} // namespace usher::sys
