// SPDX-License-Identifier: MIT
#include "common/async/helper_thread.hpp"

#include "common/async/start_thread.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/system_error.hpp>

#include <atomic>
#include <mutex>
#include <utility>

namespace asio = boost::asio;

namespace usher {

namespace {

std::atomic<unsigned> threads_left{0};

} // namespace

/// What a thread finds when it is done, whether the loop is still there or not.
struct HelperThreads::Gate {
    std::mutex mutex;
    bool is_open = true;
};

HelperThreads::HelperThreads(asio::execution_context& context)
    : service{context}, gate_{std::make_shared<Gate>()}
{
}

asio::awaitable<void> HelperThreads::run(std::function<void()> work)
{
    const auto executor = co_await asio::this_coro::executor;
    const auto call = ++last_call_;
    Waiter waiter{.timer = {executor, asio::steady_timer::time_point::max()}};
    const auto forget = [this, call](Waiter*) { waiting_.erase(call); };
    const std::unique_ptr<Waiter, decltype(forget)> place{&waiter, forget};
    if (gate_->is_open) {
        waiting_.emplace(call, &waiter);
        ++threads_left;
        try {
            start_thread([this, call, executor, gate = gate_, work = std::move(work)]() mutable {
                work();
                work = nullptr;
                {
                    const std::lock_guard lock{gate->mutex};
                    if (gate->is_open)
                        asio::post(executor, [this, call] {
                            if (const auto found = waiting_.find(call); found != waiting_.end()) {
                                found->second->is_done = true;
                                found->second->timer.cancel();
                            }
                        });
                }
                --threads_left;
            });
        } catch (...) {
            --threads_left;
            throw;
        }
        co_await waiter.timer.async_wait(asio::as_tuple(asio::deferred));
    }
    if (!waiter.is_done)
        throw boost::system::system_error{asio::error::operation_aborted};
}

void HelperThreads::abandon() noexcept
{
    {
        const std::lock_guard lock{gate_->mutex};
        gate_->is_open = false;
    }
    for (const auto& [call, waiter] : waiting_)
        waiter->timer.cancel();
}

bool HelperThreads::any_left() noexcept
{
    return threads_left > 0;
}

} // namespace usher
