// SPDX-License-Identifier: MIT
#include "balancer/config/units/signal_name.hpp"

#include <array>
#include <csignal>
#include <cstring>

namespace usher {

std::optional<int> signal_number(std::string_view name) noexcept
{
    constexpr std::array numbers{SIGHUP,  SIGINT,  SIGQUIT, SIGABRT,
                                 SIGKILL, SIGUSR1, SIGUSR2, SIGTERM};
    if (name.starts_with("SIG"))
        name.remove_prefix(3);
    for (const int number : numbers)
        if (name == ::sigabbrev_np(number))
            return number;
    return std::nullopt;
}

std::string signal_text(int number)
{
    const char* const name = ::sigabbrev_np(number);
    return name != nullptr ? name : std::to_string(number);
}

} // namespace usher
