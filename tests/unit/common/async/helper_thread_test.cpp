// SPDX-License-Identifier: MIT
#include "common/async/helper_thread.hpp"

#include "tests/support/eventually.hpp"
#include "tests/support/run_until.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/system/system_error.hpp>
#include <doctest/doctest.h>

#include <chrono>
#include <csignal>
#include <exception>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>

namespace usher::helper_thread_test {

using namespace usher::test;

namespace asio = boost::asio;

namespace {

/// Held back until release(), which its end is too.
class Latch {
public:
    [[nodiscard]] std::function<void()> wait() const
    {
        return [future = future_] { future.wait(); };
    }
    void release() { std::exchange(promise_, std::nullopt)->set_value(); }

private:
    std::optional<std::promise<void>> promise_{std::in_place};
    std::shared_future<void> future_{promise_->get_future()};
};

struct Fixture {
    std::optional<asio::io_context> io{std::in_place, 1};
    ~Fixture()
    {
        CHECK(eventually([] { return !HelperThreads::any_left(); }));
    }

    /// What came of a call: text, or why not.
    std::string outcome;

    template <typename Function>
    void call(Function function)
    {
        asio::co_spawn(*io, on_helper_thread(std::move(function)),
                       [this](const std::exception_ptr& error, std::string text) {
                           try {
                               if (error)
                                   std::rethrow_exception(error);
                               outcome = std::move(text);
                           } catch (const boost::system::system_error& e) {
                               outcome = e.code() == asio::error::operation_aborted ? "aborted"
                                                                                    : e.what();
                           } catch (const std::exception& e) {
                               outcome = e.what();
                           }
                       });
    }

    /// A call that hangs until `latch` is released.
    void call_held(const Latch& latch)
    {
        call([wait = latch.wait()] {
            wait();
            return std::string{"late"};
        });
        run_ready(*io);
        CHECK(outcome.empty());
        CHECK(HelperThreads::any_left());
    }
};

} // namespace

TEST_SUITE_BEGIN("helper_thread");

TEST_CASE_FIXTURE(Fixture,
                  "what a function returns comes back from another thread, which has no signals")
{
    call([loop = std::this_thread::get_id()] {
        sigset_t blocked;
        ::pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
        const bool is_right =
            std::this_thread::get_id() != loop && ::sigismember(&blocked, SIGTERM) == 1;
        return std::string{is_right ? "right" : "wrong"};
    });
    CHECK(run_to_end(*io));
    CHECK(outcome == "right");
}

TEST_CASE_FIXTURE(Fixture, "what a function throws comes back")
{
    call([]() -> std::string { throw std::runtime_error{"no such file"}; });
    CHECK(run_to_end(*io));
    CHECK(outcome == "no such file");
}

TEST_CASE_FIXTURE(Fixture, "one that is stuck holds up nobody")
{
    Latch latch;
    call_held(latch);
    call([] { return std::string{"second"}; });
    CHECK(run_until(*io, [this] { return outcome == "second"; }));
    latch.release();
    CHECK(run_to_end(*io));
    CHECK(outcome == "late");
}

TEST_CASE_FIXTURE(Fixture, "one that is stuck is given up when the loop is to end")
{
    Latch latch;
    call_held(latch);
    HelperThreads::of(io->get_executor()).abandon();
    CHECK(run_to_end(*io));
    CHECK(outcome == "aborted");

    outcome.clear();
    call([] { return std::string{"never"}; });
    CHECK(run_to_end(*io));
    CHECK(outcome == "aborted");
    io.reset(); // what comes late finds nobody
    latch.release();
}

TEST_CASE_FIXTURE(Fixture, "the loop may be destroyed under one that is stuck")
{
    Latch latch;
    call_held(latch);
    io.reset();
    latch.release();
}

TEST_CASE_FIXTURE(Fixture, "a caller may give up waiting")
{
    Latch latch;
    bool gave_up = false;
    asio::co_spawn(
        *io,
        [&]() -> asio::awaitable<void> {
            asio::steady_timer timer{*io, std::chrono::milliseconds{1}};
            auto held = [wait = latch.wait()] {
                wait();
                return 7;
            };
            gave_up = !(co_await on_helper_thread(std::move(held), timer)).has_value();
            timer.expires_after(std::chrono::seconds{10});
            auto quick = [] { return 7; };
            const auto answer = co_await on_helper_thread(quick, timer);
            CHECK(answer == 7);
            auto failing = []() -> int { throw std::runtime_error{"no such file"}; };
            try {
                co_await on_helper_thread(failing, timer);
                FAIL("it returned");
            } catch (const std::runtime_error& e) {
                CHECK(e.what() == std::string{"no such file"});
            }
        },
        [](const std::exception_ptr& error) { CHECK(error == nullptr); });
    CHECK(run_to_end(*io));
    CHECK(gave_up);
    latch.release();
}

TEST_SUITE_END();

} // namespace usher::helper_thread_test
