// SPDX-License-Identifier: MIT
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>

namespace usher {

/// Returns after `duration`, or when cancelled; never throws.
[[nodiscard]] inline boost::asio::awaitable<void>
sleep_for(boost::asio::steady_timer::duration duration)
{
    boost::asio::steady_timer timer{co_await boost::asio::this_coro::executor, duration};
    co_await timer.async_wait(boost::asio::as_tuple(boost::asio::deferred));
}

} // namespace usher
