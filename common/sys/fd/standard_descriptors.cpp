// SPDX-License-Identifier: MIT
#include "common/sys/fd/standard_descriptors.hpp"

#include "common/sys/syscall.hpp"

#include <fcntl.h>
#include <unistd.h>

namespace usher::sys {

void open_standard_descriptors()
{
    for (const int number : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        if (is_open(number))
            continue;
        // The lowest free number is this one, since those below are open; it stays open across
        // exec() as the standard ones do.
        if (::open("/dev/null", O_RDWR) < 0)
            throw_last_error("/dev/null");
    }
}

bool is_open(int number) noexcept
{
    return ::fcntl(number, F_GETFD) >= 0;
}

} // namespace usher::sys
