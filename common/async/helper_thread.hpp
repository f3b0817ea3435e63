// SPDX-License-Identifier: MIT
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/execution/context.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/query.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cstdint>
#include <exception>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

namespace usher {

/// The threads to which one event loop gives what may wait: for a disk, a directory service, a lock
/// in the kernel.  Each call has one of its own, so that none waits behind another that is stuck.
class HelperThreads final : public boost::asio::execution_context::service {
public:
    static inline boost::asio::execution_context::id id;

    explicit HelperThreads(boost::asio::execution_context& context);

    /// The threads of the loop that `executor` belongs to.
    [[nodiscard]] static HelperThreads& of(const boost::asio::any_io_executor& executor)
    {
        return boost::asio::use_service<HelperThreads>(
            boost::asio::query(executor, boost::asio::execution::context));
    }

    /// Runs `work` on a thread; see on_helper_thread().
    [[nodiscard]] boost::asio::awaitable<void> run(std::function<void()> work);

    /// The loop is to end: all who wait, now or later, are told that it was cancelled.
    void abandon() noexcept;

    /// True while a thread of any loop has not returned.  The process must then end by _exit(2),
    /// which destroys nothing under it.
    [[nodiscard]] static bool any_left() noexcept;

private:
    struct Gate;
    struct Waiter {
        boost::asio::steady_timer timer;
        bool is_done = false;
    };

    void shutdown() noexcept override { abandon(); }

    std::shared_ptr<Gate> gate_;
    std::map<std::uint64_t, Waiter*> waiting_;
    std::uint64_t last_call_ = 0;
};

/// Runs `function` on a thread of its own, and returns what it returns or throws.
///
/// When cancelled, by the caller or by HelperThreads::abandon(), throws system_error with
/// operation_aborted; the thread is left behind and ends when it can.  So `function` must own all
/// that it uses, and share it with nobody.  Throws std::system_error if there is no thread.
///
/// Give a closure a name before: GCC 12 destroys one twice that stands in what is awaited.
template <typename Function>
[[nodiscard]] boost::asio::awaitable<std::invoke_result_t<Function&>>
on_helper_thread(Function function)
{
    const auto executor = co_await boost::asio::this_coro::executor;
    using Task = std::packaged_task<std::invoke_result_t<Function&>()>;
    auto task = std::make_shared<Task>(std::move(function));
    auto result = task->get_future();
    std::function<void()> work = [task = std::move(task)] { (*task)(); };
    co_await HelperThreads::of(executor).run(std::move(work));
    co_return result.get();
}

/// The same, but gives up when `deadline` expires or is cancelled: then there is nothing.
template <typename Function>
[[nodiscard]] boost::asio::awaitable<std::optional<std::invoke_result_t<Function&>>>
on_helper_thread(Function function, boost::asio::steady_timer& deadline)
{
    using namespace boost::asio::experimental::awaitable_operators;
    // Only success ends the wait for either, so that the sides must not throw.
    constexpr auto token = boost::asio::as_tuple(boost::asio::use_awaitable);
    const auto executor = co_await boost::asio::this_coro::executor;
    auto first =
        co_await (boost::asio::co_spawn(executor, on_helper_thread(std::move(function)), token) ||
                  deadline.async_wait(token));
    if (first.index() == 1)
        co_return std::nullopt;
    auto& [error, result] = std::get<0>(first);
    if (error)
        std::rethrow_exception(error);
    co_return std::move(result);
}

} // namespace usher
