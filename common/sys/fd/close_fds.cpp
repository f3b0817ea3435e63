// SPDX-License-Identifier: MIT
#include "common/sys/fd/close_fds.hpp"

#include <cassert>
#include <cerrno>
#include <cstddef>

#include <unistd.h>

namespace usher::sys {

namespace {

void close_one(int fd) noexcept
{
    [[maybe_unused]] const int rc = ::close(fd);
    assert(rc == 0 || errno != EBADF);
}

} // namespace

void close_fds(std::span<const int> fds) noexcept
{
    for (std::size_t first = 0; first < fds.size();) {
        std::size_t last = first;
        while (last + 1 < fds.size() && fds[last + 1] == fds[last] + 1)
            ++last;

        // Refused by kernels before 5.9 and by some system call filters.
        const bool closed = last > first && ::close_range(static_cast<unsigned>(fds[first]),
                                                          static_cast<unsigned>(fds[last]), 0) == 0;
        if (!closed)
            for (std::size_t i = first; i <= last; ++i)
                close_one(fds[i]);

        first = last + 1;
    }
}

} // namespace usher::sys
