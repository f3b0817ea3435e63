// SPDX-License-Identifier: MIT
#pragma once

#include <cerrno>

#include <sys/types.h>

namespace usher::preload {

/// A borrowed descriptor, and how to recognise it: the program does not know about it, and may have
/// closed it and reused its number.
struct Descriptor {
    int fd = -1;
    ino_t inode = 0;
};

/// The inode of the open file `fd`, 0 if there is none.
[[nodiscard]] ino_t inode_of(int fd) noexcept;

[[nodiscard]] inline bool is_there(const Descriptor& descriptor) noexcept
{
    return descriptor.fd >= 0 && inode_of(descriptor.fd) == descriptor.inode;
}

/// The socket's option `option` at SOL_SOCKET; -1 if `fd` is no socket.
[[nodiscard]] int socket_option(int fd, int option) noexcept;

/// Keeps errno as it was at the start of a scope.
class KeepErrno {
public:
    KeepErrno() noexcept : saved_{errno} {}
    KeepErrno(const KeepErrno&) = delete;
    KeepErrno& operator=(const KeepErrno&) = delete;
    ~KeepErrno() { errno = saved_; }

private:
    int saved_;
};

} // namespace usher::preload
