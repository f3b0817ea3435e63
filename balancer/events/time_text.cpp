// SPDX-License-Identifier: MIT
#include "balancer/events/time_text.hpp"

#include <fmt/chrono.h>

namespace usher {

std::string time_text(std::chrono::system_clock::time_point time)
{
    const auto whole = std::chrono::floor<std::chrono::seconds>(time);
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(time - whole).count();
    const auto local = fmt::localtime(std::chrono::system_clock::to_time_t(whole));
    auto text = fmt::format("{:%FT%T}.{:03}{:%z}", local, ms, local);
    return text.insert(text.size() - 2, ":"); // within +0100
}

} // namespace usher
