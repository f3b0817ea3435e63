// SPDX-License-Identifier: MIT
#pragma once

#include <cerrno>
#include <string>
#include <system_error>

namespace usher::sys {

/// errno as an error_code.  Call it first: any other call may change errno.
[[nodiscard]] inline std::error_code last_error() noexcept
{
    return {errno, std::system_category()};
}

/// Throws errno as std::system_error; `what` names the system call or the object it failed on.
[[noreturn]] inline void throw_last_error(const char* what)
{
    const auto error = last_error(); // before anything that allocates
    if (error == std::errc::too_many_files_open)
        throw std::system_error{error, std::string{"no descriptor is left, so raise the limit "
                                                   "(ulimit -n, LimitNOFILE= of systemd): "} +
                                           what};
    throw std::system_error{error, what};
}

/// Repeats `call` while a signal interrupts it.  Not for close().
template <typename Call>
[[nodiscard]] auto retry_on_eintr(Call call) noexcept(noexcept(call()))
{
    for (;;) {
        const auto result = call();
        if (result >= 0 || errno != EINTR)
            return result;
    }
}

} // namespace usher::sys
