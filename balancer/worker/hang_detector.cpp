// SPDX-License-Identifier: MIT
#include "balancer/worker/hang_detector.hpp"

#include "balancer/config/units/duration.hpp"
#include "common/text/counted.hpp"

#include <fmt/core.h>

#include <algorithm>

namespace usher {

std::string HangDetector::look(const Facts& facts)
{
    if (facts.figures.queued == 0 || facts.figures.taken != last_taken_) {
        moved_at_ = facts.now;
        last_taken_ = facts.figures.taken;
    }
    if (facts.stall_timeout == facts.stall_timeout.zero())
        return {};
    if (facts.now - moved_at_ >= facts.stall_timeout)
        return fmt::format("its queue of {} has not moved for {}",
                           counted(facts.figures.queued, "connection"),
                           format_duration(facts.stall_timeout));

    const auto limit = std::max({facts.stall_timeout, facts.promised, shortest_heartbeat_limit});
    if (facts.figures.heartbeat != Clock::time_point{} &&
        facts.now - std::max(facts.figures.heartbeat, forgiven_at_) >= limit)
        return fmt::format("its event loop has stood still for {}", format_duration(limit));
    return {};
}

void HangDetector::forgive(Clock::time_point now) noexcept
{
    moved_at_ = now;
    forgiven_at_ = now;
}

} // namespace usher
