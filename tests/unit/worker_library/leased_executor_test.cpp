// SPDX-License-Identifier: MIT
#include "usher/worker/detail/leased_executor.hpp"

#include "tests/support/allocations.hpp"
#include "tests/support/run_until.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/execution.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <doctest/doctest.h>

#include <chrono>
#include <deque>
#include <memory>
#include <optional>

namespace usher::leased_executor_test {

namespace asio = boost::asio;

using namespace usher::worker::detail;
using namespace usher::test;
using namespace std::chrono_literals;

namespace {

using Executor = LeasedExecutor<asio::io_context::executor_type>;

/// What any_io_executor keeps without an allocation in Boost 1.81.
constexpr std::size_t small_buffer = sizeof(std::shared_ptr<void>) + sizeof(void*);
static_assert(sizeof(Executor) <= small_buffer);
static_assert(asio::execution::is_executor_v<Executor>);

struct Fixture {
    asio::io_context io;
    int returned = 0;
    std::deque<int> connections;

    Lease lease()
    {
        return {&connections.emplace_back(), [this](const void*) { ++returned; }};
    }
    Executor make() { return {io.get_executor(), lease()}; }
};

} // namespace

TEST_SUITE_BEGIN("leased_executor");

TEST_CASE_FIXTURE(Fixture, "any_io_executor keeps it, copies it and moves it without an allocation")
{
    const Executor executor = make();
    CHECK(allocations_of([&executor] {
              const asio::any_io_executor any{executor};
              asio::any_io_executor copy{any};
              const asio::any_io_executor moved{std::move(copy)};
          }) == 0);
}

TEST_CASE_FIXTURE(Fixture, "what it is required or preferred to be needs no allocation either")
{
    const asio::any_io_executor any{make()};
    CHECK(allocations_of([&any] {
              namespace execution = asio::execution;
              const auto never = asio::require(any, execution::blocking.never);
              const auto tracked = asio::prefer(never, execution::outstanding_work.tracked);
              const auto possibly = asio::prefer(tracked, execution::blocking.possibly);
          }) == 0);
    CHECK(returned == 0);
}

TEST_CASE_FIXTURE(Fixture, "it holds its share as long as any copy of it lives")
{
    std::optional<asio::any_io_executor> copy;
    {
        const asio::any_io_executor any{make()};
        copy = asio::prefer(any, asio::execution::outstanding_work.untracked);
    }
    CHECK(returned == 0);
    copy.reset();
    CHECK(returned == 1);
}

TEST_CASE_FIXTURE(Fixture, "two are equal if executor and lease are")
{
    const Executor executor = make();
    const Executor& same = executor;
    const Executor copy{same}; // NOLINT(performance-unnecessary-copy-initialization)
    const Executor other = make();
    CHECK(executor == copy);
    CHECK_FALSE(executor == other);
    CHECK(asio::any_io_executor{executor} == asio::any_io_executor{copy});
    CHECK_FALSE(asio::any_io_executor{executor} == asio::any_io_executor{other});
}

TEST_CASE_FIXTURE(Fixture, "its context is the inner executor's")
{
    const asio::any_io_executor any{make()};
    CHECK(&asio::query(any, asio::execution::context) == &io);
}

TEST_CASE_FIXTURE(Fixture, "what is posted to it runs")
{
    bool ran = false;
    asio::post(make(), [&ran] { ran = true; });
    CHECK(run_to_end(io));
    CHECK(ran);
    CHECK(returned == 1);
}

TEST_CASE_FIXTURE(Fixture, "a timer works with it and holds the share")
{
    bool expired = false;
    {
        asio::steady_timer timer{asio::any_io_executor{make()}, 1ms};
        timer.async_wait([&expired](const boost::system::error_code& error) { expired = !error; });
        CHECK(run_to_end(io));
        CHECK(returned == 0);
    }
    CHECK(expired);
    CHECK(returned == 1);
}

TEST_CASE_FIXTURE(Fixture, "a coroutine works on it and gives the share back at its end")
{
    int steps = 0;
    asio::co_spawn(
        asio::any_io_executor{make()},
        [](int& counter, const int& back) -> asio::awaitable<void> {
            asio::steady_timer timer{co_await asio::this_coro::executor, 1ms};
            ++counter;
            co_await timer.async_wait(asio::use_awaitable);
            CHECK(back == 0);
            ++counter;
        }(steps, returned),
        asio::detached);
    CHECK(run_to_end(io));
    CHECK(steps == 2);
    CHECK(returned == 1);
}

TEST_CASE_FIXTURE(Fixture, "a strand works on it and holds the share")
{
    int ran = 0;
    {
        const auto strand = asio::make_strand(asio::any_io_executor{make()});
        asio::post(strand, [&ran, strand] {
            CHECK(strand.running_in_this_thread());
            ++ran;
        });
        asio::post(strand, [&ran] { ++ran; });
        CHECK(run_to_end(io));
        CHECK(returned == 0);
    }
    CHECK(ran == 2);
    CHECK(returned == 1);
}

TEST_CASE_FIXTURE(Fixture, "a coroutine that never ends gives the share back with its loop")
{
    auto loop = std::make_unique<asio::io_context>();
    asio::co_spawn(
        asio::any_io_executor{Executor{loop->get_executor(), lease()}},
        []() -> asio::awaitable<void> {
            asio::steady_timer timer{co_await asio::this_coro::executor, 1h};
            co_await timer.async_wait(asio::use_awaitable);
        },
        asio::detached);
    run_ready(*loop);
    CHECK(returned == 0);
    loop.reset();
    CHECK(returned == 1);
}

TEST_SUITE_END();

} // namespace usher::leased_executor_test
