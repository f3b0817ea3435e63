// SPDX-License-Identifier: MIT
#pragma once

#include <sys/socket.h>

/// The functions behind the ones that this library puts in front of them: libc's, or those of
/// another library that was loaded in between.
namespace usher::preload::next {

int accept4(int fd, sockaddr* address, socklen_t* size, int flags);
int bind(int fd, const sockaddr* address, socklen_t size);
int connect(int fd, const sockaddr* address, socklen_t size);
int getpeername(int fd, sockaddr* address, socklen_t* size);
int getsockname(int fd, sockaddr* address, socklen_t* size);
int getsockopt(int fd, int level, int option, void* value, socklen_t* size);
int listen(int fd, int backlog);
int setsockopt(int fd, int level, int option, const void* value, socklen_t size);

/// Looks up all of them, so that a signal handler never has to.
void look_up() noexcept;

} // namespace usher::preload::next
