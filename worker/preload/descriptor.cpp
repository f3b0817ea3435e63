// SPDX-License-Identifier: MIT
#include "worker/preload/descriptor.hpp"

#include "worker/preload/next.hpp"

#include <cerrno>

#include <sys/stat.h>

namespace usher::preload {

ino_t inode_of(int fd) noexcept
{
    struct stat status {};
    return ::fstat(fd, &status) == 0 ? status.st_ino : 0;
}

bool has_socket_option(int fd, int option, int value) noexcept
{
    int found = 0;
    socklen_t size = sizeof found;
    return next::getsockopt(fd, SOL_SOCKET, option, &found, &size) == 0 && found == value;
}

KeepErrno::KeepErrno() noexcept : saved_{errno} {}

KeepErrno::~KeepErrno()
{
    errno = saved_;
}

} // namespace usher::preload
