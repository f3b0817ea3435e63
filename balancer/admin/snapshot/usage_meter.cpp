// SPDX-License-Identifier: MIT
#include "balancer/admin/snapshot/usage_meter.hpp"

#include <algorithm>

namespace usher {

namespace {

double percent(std::chrono::milliseconds cpu, UsageMeter::Clock::duration time)
{
    const std::chrono::duration<double> used = cpu;
    const std::chrono::duration<double> all = time;
    return all.count() > 0 ? std::max(0.0, used / all * 100) : 0;
}

} // namespace

double UsageMeter::look(Clock::time_point now, std::uint64_t id, std::chrono::milliseconds age,
                        std::chrono::milliseconds cpu)
{
    const auto [place, is_new] = samples_.try_emplace(id);
    auto& sample = place->second;
    if (is_new)
        sample = {.at = now, .cpu = cpu, .percent = percent(cpu, age)};
    else if (now - sample.at >= shortest) // processes of a group may have ended: then it is less
        sample = {.at = now, .cpu = cpu, .percent = percent(cpu - sample.cpu, now - sample.at)};
    return sample.percent;
}

void UsageMeter::forget_old(Clock::time_point now)
{
    std::erase_if(samples_, [&](const auto& entry) {
        return now - entry.second.at >= std::chrono::minutes{1};
    });
}

} // namespace usher
