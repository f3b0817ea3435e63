// SPDX-License-Identifier: MIT
#include "common/sys/fd/fd_reserve.hpp"

#include <algorithm>
#include <limits>

#include <fcntl.h>
#include <sys/resource.h>

namespace usher::sys {

bool FdReserve::look() noexcept
{
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return false;
    const auto end =
        static_cast<int>(std::min<rlim_t>(limit.rlim_cur, std::numeric_limits<int>::max()));
    const int begin = std::max(0, end - 4 * packet);
    // Not by opening as many: for a moment other threads would find the table full.
    int free = 0;
    for (int fd = begin; fd < end; ++fd)
        free += ::fcntl(fd, F_GETFD) < 0 ? 1 : 0;
    if (free >= 3 * packet)
        mark_.store(begin, std::memory_order_relaxed);
    return free >= packet;
}

} // namespace usher::sys
