// SPDX-License-Identifier: MIT
#include "tests/support/scarce_watches.hpp"

#include <cerrno>

#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace {

bool are_refused = false;

} // namespace

namespace usher::test {

void refuse_watches(bool refusing) noexcept
{
    are_refused = refusing;
}

} // namespace usher::test

// NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): the system's are reserved
extern "C" int epoll_ctl(int epoll, int operation, int fd, epoll_event* event) noexcept
{
    if (operation == EPOLL_CTL_ADD && are_refused) {
        errno = ENOSPC;
        return -1;
    }
    return static_cast<int>(::syscall(SYS_epoll_ctl, epoll, operation, fd, event));
}
