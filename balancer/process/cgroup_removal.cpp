// SPDX-License-Identifier: MIT
#include "balancer/process/cgroup_removal.hpp"

#include "common/async/adopt_fd.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <array>
#include <chrono>
#include <exception>
#include <tuple>
#include <utility>

#include <unistd.h>

namespace asio = boost::asio;

namespace usher {

namespace {

constexpr std::chrono::seconds patience{5};
constexpr auto token = asio::as_tuple(asio::use_awaitable);

asio::awaitable<void> remove(std::shared_ptr<sys::Cgroup> cgroup)
{
    using namespace asio::experimental::awaitable_operators;
    const auto executor = co_await asio::this_coro::executor;
    auto events = adopt_fd<asio::posix::stream_descriptor>(executor, cgroup->open_events());
    asio::steady_timer timer{executor, patience};
    bool is_late = false;
    for (;;) {
        // Reading is what makes the next change an event, so it comes before the look.
        std::array<char, 256> ignored;
        std::ignore = ::pread(events.native_handle(), ignored.data(), ignored.size(), 0);
        if (cgroup->remove() || is_late)
            co_return;
        const auto woken =
            co_await (events.async_wait(asio::posix::stream_descriptor::wait_error, token) ||
                      timer.async_wait(token));
        is_late = woken.index() == 1;
    }
}

} // namespace

void remove_when_empty(const asio::any_io_executor& executor, std::shared_ptr<sys::Cgroup> cgroup)
{
    if (cgroup->remove())
        return;
    asio::co_spawn(executor, remove(std::move(cgroup)), [](const std::exception_ptr& error) {
        try {
            if (error)
                std::rethrow_exception(error);
        } catch (const std::exception&) { // out of descriptors: the next start removes it
        }
    });
}

} // namespace usher
