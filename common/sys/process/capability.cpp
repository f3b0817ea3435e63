// SPDX-License-Identifier: MIT
#include "common/sys/process/capability.hpp"

#include <array>

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace usher::sys {

bool has_capability(unsigned capability) noexcept
{
    __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> sets{};
    return ::syscall(SYS_capget, &header, sets.data()) == 0 &&
           (sets[capability / 32].effective & (1U << (capability % 32))) != 0;
}

} // namespace usher::sys
