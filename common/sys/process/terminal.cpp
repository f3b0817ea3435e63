// SPDX-License-Identifier: MIT
#include "common/sys/process/terminal.hpp"

#include "common/sys/fd/unique_fd.hpp"

#include <fcntl.h>

namespace usher::sys {

bool has_terminal() noexcept
{
    return bool{UniqueFd{::open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC)}};
}

} // namespace usher::sys
