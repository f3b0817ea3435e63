// SPDX-License-Identifier: MIT
#include "balancer/dispatch/queue_watch.hpp"

namespace usher {

void QueueWatch::look(Clock::time_point now, std::uint64_t queued, std::uint64_t taken) noexcept
{
    if (taken != taken_) {
        passed_over_ = false;
        pause_.reset();
        waiting_since_.reset();
    }
    if (queued == 0)
        waiting_since_.reset();
    else if (!waiting_since_)
        waiting_since_ = now;
    queued_ = queued;
    taken_ = taken;
    looked_at_ = now;
}

bool QueueWatch::is_overdue(Clock::time_point now,
                            std::chrono::milliseconds move_after) const noexcept
{
    return move_after > move_after.zero() && waiting_since_ &&
           now - *waiting_since_ >= move_after * (is_starting() ? starting_times : 1);
}

void QueueWatch::on_moved() noexcept
{
    passed_over_ = true;
    waiting_since_.reset();
    next_turn_ = looked_at_ + pause_.next();
}

} // namespace usher
