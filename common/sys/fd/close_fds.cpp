// SPDX-License-Identifier: MIT
#include "common/sys/fd/close_fds.hpp"

#include "common/sys/fd/unique_fd.hpp"

#include <cstddef>

#include <unistd.h>

namespace usher::sys {

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
                UniqueFd{fds[i]}.reset();

        first = last + 1;
    }
}

} // namespace usher::sys
