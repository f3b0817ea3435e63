// SPDX-License-Identifier: MIT
#include "tests/support/scarce_watches.hpp"

#include <cerrno>
#include <cstdint>

#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace {

bool are_refused = false;
bool are_folders_refused = false;

} // namespace

namespace usher::test {

void refuse_watches(bool refusing) noexcept
{
    are_refused = refusing;
}

void refuse_folder_watches(bool refusing) noexcept
{
    are_folders_refused = refusing;
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

// NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): as above
extern "C" int inotify_add_watch(int inotify, const char* path, std::uint32_t mask) noexcept
{
    if (are_folders_refused) {
        errno = ENOSPC;
        return -1;
    }
    return static_cast<int>(::syscall(SYS_inotify_add_watch, inotify, path, mask));
}
