// SPDX-License-Identifier: MIT
#include "common/sys/terminal.hpp"

#include "common/sys/unique_fd.hpp"

#include <fcntl.h>

namespace usher::sys {

bool has_terminal() noexcept
{
    return bool{UniqueFd{::open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC)}};
}

} // namespace usher::sys
