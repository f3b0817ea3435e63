// SPDX-License-Identifier: MIT
#include "balancer/events/time_text.hpp"

#include <fmt/core.h>

#include <cstdlib>
#include <ctime>

namespace usher {

std::string time_text(std::chrono::system_clock::time_point time)
{
    const auto whole = std::chrono::floor<std::chrono::seconds>(time);
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(time - whole).count();
    const std::time_t seconds = std::chrono::system_clock::to_time_t(whole);
    std::tm local{};
    ::localtime_r(&seconds, &local);
    const long offset = local.tm_gmtoff / 60; // minutes east of Greenwich
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}{}{:02}:{:02}",
                       local.tm_year + 1900, local.tm_mon + 1, local.tm_mday, local.tm_hour,
                       local.tm_min, local.tm_sec, ms, offset < 0 ? '-' : '+',
                       std::labs(offset) / 60, std::labs(offset) % 60);
}

} // namespace usher
