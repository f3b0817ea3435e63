// SPDX-License-Identifier: MIT
#include "tests/support/fds.hpp"

#include "common/sys/syscall.hpp"

#include <array>
#include <filesystem>
#include <iterator>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace usher::test {

namespace {

/// The limit below which exactly `spare` numbers are free.
std::size_t limit_for(std::size_t spare)
{
    int number = 0;
    for (;; ++number)
        if (!is_open(number) && spare-- == 0)
            return static_cast<std::size_t>(number);
}

} // namespace

Pipe make_pipe()
{
    std::array<int, 2> fds{};
    if (::pipe2(fds.data(), O_CLOEXEC) < 0)
        sys::throw_last_error("pipe2");
    return {.reader = sys::UniqueFd{fds[0]}, .writer = sys::UniqueFd{fds[1]}};
}

sys::UniqueFd open_null()
{
    sys::UniqueFd fd{::open("/dev/null", O_RDWR | O_CLOEXEC)};
    if (!fd)
        sys::throw_last_error("/dev/null");
    return fd;
}

sys::UniqueFd duplicate(int fd, int lowest)
{
    sys::UniqueFd copy{::fcntl(fd, F_DUPFD_CLOEXEC, lowest)};
    if (!copy)
        sys::throw_last_error("F_DUPFD_CLOEXEC");
    return copy;
}

bool is_open(int fd)
{
    return ::fcntl(fd, F_GETFD) >= 0;
}

bool is_close_on_exec(int fd)
{
    return (::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0;
}

bool is_non_blocking(int fd)
{
    return (::fcntl(fd, F_GETFL) & O_NONBLOCK) != 0;
}

bool same_file(int a, int b)
{
    struct stat first {
    }, second{};
    return ::fstat(a, &first) == 0 && ::fstat(b, &second) == 0 && first.st_ino == second.st_ino &&
           first.st_dev == second.st_dev;
}

std::ptrdiff_t open_fd_count()
{
    const std::filesystem::directory_iterator entries{"/proc/self/fd"};
    return std::distance(begin(entries), end(entries));
}

ScopedFdLimit::ScopedFdLimit(std::size_t spare) : ScopedFdLimit{Exact{limit_for(spare)}} {}

ScopedFdLimit ScopedFdLimit::at(std::size_t limit)
{
    return ScopedFdLimit{Exact{limit}};
}

ScopedFdLimit::ScopedFdLimit(Exact exact)
{
    if (::getrlimit(RLIMIT_NOFILE, &saved_) < 0)
        sys::throw_last_error("getrlimit");
    const rlimit lowered{.rlim_cur = exact.limit, .rlim_max = saved_.rlim_max};
    if (::setrlimit(RLIMIT_NOFILE, &lowered) < 0)
        sys::throw_last_error("setrlimit");
}

ScopedFdLimit::~ScopedFdLimit()
{
    ::setrlimit(RLIMIT_NOFILE, &saved_);
}

} // namespace usher::test
