// SPDX-License-Identifier: MIT
#include "tests/unit/bus/send_faults.hpp"

#include <cerrno>

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

// In place of the C library's.
// NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): the system's are reserved
extern "C" ssize_t sendmsg(int fd, const msghdr* message, int flags)
{
    using usher::test::SendFaults;
    if (SendFaults::no_memory > 0) {
        --SendFaults::no_memory;
        errno = ENOBUFS;
        return -1;
    }
    const auto sent = ::syscall(SYS_sendmsg, fd, message, flags);
    if (sent < 0 && errno == EAGAIN)
        ++SendFaults::full;
    return sent;
}
