// SPDX-License-Identifier: MIT
#include "balancer/worker/worker_lifecycle.hpp"

#include <algorithm>
#include <utility>

namespace usher {

WorkerLifecycle::WorkerLifecycle(Limits limits, Clock::time_point now) noexcept
    : limits_{limits}, deadline_{now + limits.start_timeout}
{
}

void WorkerLifecycle::enter(State state, Action action,
                            std::optional<Clock::time_point> deadline) noexcept
{
    state_ = state;
    pending_ = action;
    deadline_ = deadline;
}

void WorkerLifecycle::terminate(Clock::time_point now, std::chrono::milliseconds grace) noexcept
{
    enter(State::terminating, Action::terminate, now + grace);
}

void WorkerLifecycle::on_probing() noexcept
{
    if (state_ == State::starting)
        state_ = State::probing;
}

void WorkerLifecycle::on_ready() noexcept
{
    if (is_before_ready())
        enter(State::ready, Action::none, std::nullopt);
}

void WorkerLifecycle::stop(Clock::time_point now) noexcept
{
    if (is_before_ready()) // has no connection to finish
        terminate(now, limits_.stop_grace);
    else if (state_ == State::ready)
        enter(State::draining, Action::drain, now + limits_.drain_timeout);
}

void WorkerLifecycle::on_idle(Clock::time_point now) noexcept
{
    if (state_ == State::draining)
        terminate(now, limits_.stop_grace);
}

void WorkerLifecycle::retire(Clock::time_point now) noexcept
{
    if (state_ < State::terminating)
        terminate(now, limits_.stop_grace);
}

void WorkerLifecycle::abort(Clock::time_point now) noexcept
{
    if (state_ < State::terminating)
        enter(State::terminating, Action::abort, now + limits_.stop_grace);
}

void WorkerLifecycle::hurry(Clock::time_point now) noexcept
{
    const auto grace = std::min(limits_.stop_grace, hurried_grace);
    if (state_ < State::terminating)
        terminate(now, grace);
    else if (state_ == State::terminating)
        deadline_ = std::min(*deadline_, now + grace);
}

WorkerLifecycle::Action WorkerLifecycle::advance(Clock::time_point now) noexcept
{
    if (pending_ == Action::none && deadline_ && now >= *deadline_) {
        switch (state_) {
        case State::starting:
        case State::probing:
            start_timed_out_ = true;
            terminate(now, limits_.stop_grace);
            break;
        case State::draining:
            terminate(now, limits_.stop_grace);
            break;
        case State::terminating:
            enter(State::killing, Action::kill, std::nullopt);
            break;
        case State::ready:
        case State::killing:
            break; // have no deadline
        }
    }
    return std::exchange(pending_, Action::none);
}

} // namespace usher
