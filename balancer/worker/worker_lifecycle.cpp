// SPDX-License-Identifier: MIT
#include "balancer/worker/worker_lifecycle.hpp"

#include <algorithm>
#include <utility>

namespace usher {

std::optional<WorkerLifecycle::Clock::time_point> WorkerLifecycle::deadline() const noexcept
{
    switch (state_) {
    case State::starting:
    case State::probing:
        return entered_ + config_.start_timeout;
    case State::draining:
        return entered_ + config_.drain_timeout;
    case State::terminating: {
        const auto end = entered_ + config_.stop_grace;
        return hurried_ ? std::min(end, *hurried_ + hurried_grace) : end;
    }
    case State::killing:
        return entered_ + last_grace;
    case State::ready:
        break;
    }
    return std::nullopt;
}

void WorkerLifecycle::enter(State state, Action action, Clock::time_point now) noexcept
{
    state_ = state;
    pending_ = action;
    entered_ = now;
}

void WorkerLifecycle::on_probing() noexcept
{
    if (state_ == State::starting)
        state_ = State::probing;
}

void WorkerLifecycle::on_ready() noexcept
{
    if (is_before_ready())
        enter(State::ready, Action::none, entered_);
}

void WorkerLifecycle::stop(Clock::time_point now, bool has_other_work) noexcept
{
    if (is_before_ready() && !has_other_work)
        enter(State::terminating, Action::terminate, now);
    else if (state_ <= State::ready)
        enter(State::draining, Action::drain, now);
}

void WorkerLifecycle::on_idle(Clock::time_point now) noexcept
{
    if (state_ == State::draining)
        enter(State::terminating, Action::terminate, now);
}

void WorkerLifecycle::retire(Clock::time_point now, Action action) noexcept
{
    if (state_ < State::terminating)
        enter(State::terminating, action, now);
}

void WorkerLifecycle::hurry(Clock::time_point now) noexcept
{
    retire(now);
    hurried_ = hurried_.value_or(now);
}

void WorkerLifecycle::on_signalled(Clock::time_point now) noexcept
{
    if (state_ != State::terminating)
        return;
    entered_ = now;
    if (hurried_)
        hurried_ = now;
}

WorkerLifecycle::Action WorkerLifecycle::advance(Clock::time_point now) noexcept
{
    const auto end = deadline();
    if (pending_ == Action::none && end && now >= *end) {
        start_timed_out_ = start_timed_out_ || is_before_ready();
        if (state_ == State::killing)
            enter(State::killing, Action::give_up, now);
        else if (state_ == State::terminating)
            enter(State::killing, Action::kill, now);
        else
            enter(State::terminating, Action::terminate, now);
    }
    return std::exchange(pending_, Action::none);
}

} // namespace usher
