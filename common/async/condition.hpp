// SPDX-License-Identifier: MIT
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>

#include <list>
#include <memory>

namespace usher {

/// Wakes coroutines that wait for something to change.  One thread.
///
/// As with a condition variable, a waiter looks at what it waits for itself, before and after:
///
///     while (!is_done())
///         co_await changed.wait();
class Condition {
public:
    using TimePoint = boost::asio::steady_timer::time_point;

    /// Returns after the next notify_all(), at `deadline`, or when cancelled.
    [[nodiscard]] boost::asio::awaitable<void> wait(TimePoint deadline = TimePoint::max())
    {
        boost::asio::steady_timer timer{co_await boost::asio::this_coro::executor, deadline};
        const auto leave = [this](Place* place) { waiters_.erase(*place); };
        auto place = waiters_.insert(waiters_.end(), &timer);
        const std::unique_ptr<Place, decltype(leave)> until_the_end{&place, leave};
        co_await timer.async_wait(boost::asio::as_tuple(boost::asio::deferred));
    }

    void notify_all()
    {
        for (auto* const timer : waiters_)
            timer->cancel();
    }

private:
    using Place = std::list<boost::asio::steady_timer*>::iterator;

    std::list<boost::asio::steady_timer*> waiters_;
};

} // namespace usher
