// SPDX-License-Identifier: MIT
#include "worker/preload/descriptor.hpp"

#include "worker/preload/next.hpp"

#include <sys/stat.h>

namespace usher::preload {

ino_t inode_of(int fd) noexcept
{
    struct stat status {};
    return ::fstat(fd, &status) == 0 ? status.st_ino : 0;
}

int socket_option(int fd, int option) noexcept
{
    int value = 0;
    socklen_t size = sizeof value;
    return next::getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 ? value : -1;
}

} // namespace usher::preload
