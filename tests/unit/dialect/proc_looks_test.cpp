// SPDX-License-Identifier: MIT
#include "balancer/dialect/proc_looks.hpp"

#include "common/async/spawn.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/run_until.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

namespace usher::proc_looks_test {

using namespace usher::test;
using namespace std::chrono_literals;
namespace asio = boost::asio;

namespace {

/// Looks that last until a test lets them end.
struct Fixture {
    asio::io_context io{1};
    ProcLooks looks;
    asio::steady_timer deadline{io, asio::steady_timer::time_point::max()};
    std::shared_ptr<std::atomic<int>> begun = std::make_shared<std::atomic<int>>(0);
    std::shared_ptr<std::atomic<bool>> may_end = std::make_shared<std::atomic<bool>>(false);

    struct Answer {
        bool is_there = false;
        std::optional<int> value{};
    };

    void look(Answer& answer)
    {
        auto looking = [](Fixture& self, Answer& to) -> asio::awaitable<void> {
            auto wait = [begun = self.begun, may_end = self.may_end] {
                const int number = ++*begun;
                while (!*may_end)
                    std::this_thread::sleep_for(1ms);
                return number;
            };
            to.value = co_await self.looks.look(std::move(wait), self.deadline);
            to.is_there = true;
        };
        spawn(io, looking(*this, answer));
        run_ready(io);
    }

    ~Fixture() { *may_end = true; }
};

} // namespace

TEST_SUITE_BEGIN("proc_looks");

TEST_CASE_FIXTURE(Fixture, "it is known while somebody looks, so that others can look later")
{
    CHECK_FALSE(looks.is_looking());
    Answer answer;
    look(answer);
    CHECK(looks.is_looking());
    *may_end = true;
    CHECK(run_until(io, [&] { return answer.is_there; }));
    CHECK(answer.value == 1);
    CHECK(eventually([&] { return !looks.is_looking(); }));
}

TEST_CASE_FIXTURE(Fixture, "while a look hangs that was given up there is no other")
{
    Answer first;
    deadline.expires_after(1ms);
    look(first);
    CHECK(run_until(io, [&] { return first.is_there; }));
    CHECK_FALSE(first.value);
    CHECK(looks.is_looking());

    Answer second;
    deadline.expires_at(asio::steady_timer::time_point::max());
    look(second);
    CHECK(second.is_there);
    CHECK_FALSE(second.value);
    CHECK(*begun <= 1);

    *may_end = true;
    CHECK(eventually([&] { return !looks.is_looking(); }));
    Answer third;
    look(third);
    CHECK(run_until(io, [&] { return third.is_there; }));
    CHECK(third.value == 2);
}

TEST_CASE_FIXTURE(Fixture, "a look that was called off is no reason not to look again")
{
    Answer first;
    look(first);
    deadline.cancel();
    CHECK(run_until(io, [&] { return first.is_there; }));
    CHECK_FALSE(first.value);
    Answer second;
    look(second);
    *may_end = true;
    CHECK(run_until(io, [&] { return second.is_there; }));
    CHECK(second.value);
}

TEST_SUITE_END();

} // namespace usher::proc_looks_test
