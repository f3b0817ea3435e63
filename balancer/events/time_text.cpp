// SPDX-License-Identifier: MIT
#include "balancer/events/time_text.hpp"

#include <fmt/core.h>

#include <array>
#include <ctime>
#include <string_view>

namespace usher {

std::string time_text(std::chrono::system_clock::time_point time)
{
    const auto whole = std::chrono::floor<std::chrono::seconds>(time);
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(time - whole).count();
    const std::time_t seconds = std::chrono::system_clock::to_time_t(whole);
    std::tm local{};
    ::localtime_r(&seconds, &local);
    std::array<char, 32> text{};
    std::strftime(text.data(), text.size(), "%FT%T%z", &local); // 2026-03-01T14:05:09+0100
    const std::string_view all{text.data()};
    const auto zone = all.size() - 5;
    return fmt::format("{}.{:03}{}:{}", all.substr(0, zone), ms, all.substr(zone, 3),
                       all.substr(zone + 3));
}

} // namespace usher
