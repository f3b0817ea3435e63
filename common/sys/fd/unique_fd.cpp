// SPDX-License-Identifier: MIT
#include "common/sys/fd/unique_fd.hpp"

#include <cassert>
#include <cerrno>

#include <unistd.h>

namespace usher::sys {

void UniqueFd::reset(int fd) noexcept
{
    assert(fd < 0 || fd != fd_);

    const int old = std::exchange(fd_, fd);
    if (old < 0)
        return;

    const int saved_errno = errno;

    // Never retried: Linux frees the number even when close() fails with EINTR, and by now it
    // may belong to someone else.  For the same reason EBADF is a bug to stop at: whoever
    // closed our descriptor will sooner or later close a stranger's.
    [[maybe_unused]] const int rc = ::close(old);
    assert(rc == 0 || errno != EBADF);

    errno = saved_errno;
}

} // namespace usher::sys
