// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/listen/socket_file.hpp"
#include "common/async/closing_thread.hpp"
#include "common/async/helper_thread.hpp"
#include "common/async/spawn.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>

#include <chrono>
#include <exception>
#include <future>
#include <memory>
#include <utility>

namespace usher {

namespace detail {

template <typename Listener>
boost::asio::awaitable<void> stop_without(SocketFile file, std::shared_ptr<Listener> listener)
{
    constexpr std::chrono::seconds patience{2};
    try {
        boost::asio::steady_timer deadline{co_await boost::asio::this_coro::executor, patience};
        auto gone = std::make_shared<std::promise<bool>>();
        do_elsewhere([file, gone] { // for which whoever opens the path anew waits
            file.remove();
            gone->set_value(true);
        });
        auto wait = [gone] { return gone->get_future().get(); };
        co_await on_helper_thread(std::move(wait), deadline);
    } catch (const std::exception&) { // NOLINT(bugprone-empty-catch)
        // There is no thread, or no memory, or the loop is to end: the file goes later.
    }
    listener->stop();
}

} // namespace detail

/// Stops `listener`: at once if it has no `file`, else when that is gone, so that nobody finds it
/// who would wait where nobody accepts any more; after two seconds at the latest, for its disk may
/// not answer.  Until then the listener accepts.
template <typename Listener>
void stop_listener(const boost::asio::any_io_executor& executor, SocketFile file,
                   std::shared_ptr<Listener> listener)
{
    if (!file)
        return listener->stop();
    try {
        spawn(executor, detail::stop_without(std::move(file), listener));
    } catch (const std::exception&) { // for want of memory
        listener->stop();
    }
}

} // namespace usher
