// SPDX-License-Identifier: MIT
#include "common/sys/process/exit_status.hpp"

#include <cstring>

namespace usher::sys {

std::string ExitStatus::to_string() const
{
    if (!by_signal)
        return "exited with code " + std::to_string(code);

    const char* const name = ::sigabbrev_np(code); // glibc 2.32
    return name != nullptr ? "killed by SIG" + std::string{name}
                           : "killed by signal " + std::to_string(code);
}

} // namespace usher::sys
