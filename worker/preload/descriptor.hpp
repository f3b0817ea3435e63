// SPDX-License-Identifier: MIT
#pragma once

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

/// True if `fd` is a socket whose option `option` at SOL_SOCKET is `value`.
[[nodiscard]] bool has_socket_option(int fd, int option, int value) noexcept;

/// Keeps errno as it was at the start of a scope.
class KeepErrno {
public:
    KeepErrno() noexcept;
    KeepErrno(const KeepErrno&) = delete;
    KeepErrno& operator=(const KeepErrno&) = delete;
    ~KeepErrno();

private:
    int saved_;
};

} // namespace usher::preload
