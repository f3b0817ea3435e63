// SPDX-License-Identifier: MIT
#include "balancer/worker/hang_detector.hpp"

#include "balancer/config/units/duration.hpp"
#include "common/text/counted.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

namespace usher {

std::string HangDetector::look(const Facts& facts)
{
    const bool took = std::exchange(last_taken_, facts.figures.taken) != facts.figures.taken;
    const bool lost_some = std::exchange(last_moved_, facts.figures.moved) != facts.figures.moved;
    const bool is_waited_for = facts.figures.queued > 0;
    if (took || lost_some || !is_waited_for)
        waiting_since_ = facts.now;
    // What was offered long ago and went to others says nothing of now.
    if (took || facts.now - offered_at_ >= std::max(facts.stall_timeout, longest_gap)) {
        idle_since_.reset();
        was_relieved_ = false;
    }
    was_relieved_ |=
        std::exchange(last_relieved_, facts.figures.relieved) != facts.figures.relieved;
    if (is_waited_for || lost_some) {
        offered_at_ = facts.now;
        if (!idle_since_)
            idle_since_ = facts.now;
    }

    if (facts.stall_timeout == facts.stall_timeout.zero())
        return {};
    if (facts.now - waiting_since_ >= facts.stall_timeout)
        return fmt::format("its queue of {} has not moved for {}",
                           counted(facts.figures.queued, "connection"),
                           format_duration(facts.stall_timeout));
    if (const auto limit = (was_relieved_ ? patience : 1) * facts.stall_timeout;
        idle_since_ && facts.now - *idle_since_ >= limit)
        return fmt::format("it has taken none of {} for {}",
                           was_relieved_ ? "what others got in its place" : "what waited for it",
                           format_duration(limit));

    const auto limit = std::max({facts.stall_timeout, facts.promised, shortest_heartbeat_limit});
    if (facts.figures.heartbeat != Clock::time_point{} &&
        facts.now - std::max(facts.figures.heartbeat, forgiven_at_) >= limit)
        return fmt::format("its event loop has stood still for {}", format_duration(limit));
    return {};
}

void HangDetector::forgive(Clock::time_point now) noexcept
{
    waiting_since_ = forgiven_at_ = now;
    idle_since_.reset();
}

} // namespace usher
