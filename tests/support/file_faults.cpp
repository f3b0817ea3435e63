// SPDX-License-Identifier: MIT
#include "tests/support/file_faults.hpp"

#include <cerrno>
#include <utility>

#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace {

int sync(long call, int fd)
{
    using usher::test::FileFaults;
    ++FileFaults::calls;
    if (const auto before = std::exchange(FileFaults::before_sync, {}))
        before();
    if (FileFaults::passing > 0) {
        --FileFaults::passing;
    } else if (FileFaults::failing > 0) {
        --FileFaults::failing;
        errno = EIO;
        return -1;
    }
    return static_cast<int>(::syscall(call, fd));
}

} // namespace

// In place of the C library's.
// NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): the system's are reserved
extern "C" int fsync(int fd)
{
    return sync(SYS_fsync, fd);
}

extern "C" int fdatasync(int fd)
{
    return sync(SYS_fdatasync, fd);
}

extern "C" int flock(int fd, int operation)
{
    if (const auto before = std::exchange(usher::test::FileFaults::before_lock, {}))
        before();
    return static_cast<int>(::syscall(SYS_flock, fd, operation));
}
// NOLINTEND(readability-inconsistent-declaration-parameter-name)
