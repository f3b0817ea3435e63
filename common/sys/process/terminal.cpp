// SPDX-License-Identifier: MIT
#include "common/sys/process/terminal.hpp"

#include "common/sys/fd/unique_fd.hpp"

#include <fcntl.h>

namespace usher::sys {

bool has_terminal() noexcept
{
    // A serial line would be waited for until somebody answers (tty_ioctl(2), CLOCAL).
    return bool{UniqueFd{::open("/dev/tty", O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)}};
}

} // namespace usher::sys
