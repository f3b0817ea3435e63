// SPDX-License-Identifier: MIT
#include "common/sys/process/terminal.hpp"

#include "common/sys/fd/unique_fd.hpp"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <unistd.h>

namespace usher::sys {

std::optional<pid_t> terminal_foreground(std::error_code& error) noexcept
{
    // A serial line would be waited for until somebody answers (tty_ioctl(2), CLOCAL).
    const UniqueFd terminal{::open("/dev/tty", O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)};
    error.clear();
    if (!terminal) {
        // No terminal, one that is gone, no such file in a small container.
        if (errno != ENXIO && errno != EIO && errno != ENOENT)
            error.assign(errno, std::system_category());
        return std::nullopt;
    }
    return std::max(::tcgetpgrp(terminal.get()), 0);
}

} // namespace usher::sys
