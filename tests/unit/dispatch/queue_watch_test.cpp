// SPDX-License-Identifier: MIT
#include "balancer/dispatch/queue_watch.hpp"

#include <doctest/doctest.h>

#include <cstdint>

namespace usher::queue_watch_test {

using namespace std::chrono_literals;

namespace {

struct Fixture {
    QueueWatch watch;
    QueueWatch::Clock::time_point now{1h};

    void look(std::uint64_t queued, std::uint64_t taken) { watch.look(now, queued, taken); }

    bool is_overdue_after(std::chrono::milliseconds time, std::uint64_t queued, std::uint64_t taken)
    {
        now += time;
        look(queued, taken);
        return watch.is_overdue(now, 100ms);
    }
};

} // namespace

TEST_SUITE_BEGIN("queue_watch");

TEST_CASE_FIXTURE(Fixture, "what waits for as long as that is overdue, from when it was first seen")
{
    look(0, 5);
    CHECK_FALSE(is_overdue_after(1h, 1, 5)); // it may have come a moment ago
    CHECK_FALSE(is_overdue_after(99ms, 3, 5));
    CHECK(is_overdue_after(1ms, 3, 5));
    CHECK_FALSE(watch.is_overdue(now, 0ms));
    CHECK_FALSE(watch.is_overdue(now, 101ms));
}

TEST_CASE_FIXTURE(Fixture, "a worker that takes some is slow, not busy")
{
    for (std::uint64_t taken = 1; taken < 20; ++taken)
        CHECK_FALSE(is_overdue_after(90ms, 64, taken));
}

TEST_CASE_FIXTURE(Fixture, "who has not taken any yet is starting, and untried while nothing waits")
{
    CHECK(watch.is_starting());
    CHECK(watch.is_untried());
    look(1, 0);
    CHECK(watch.is_starting());
    CHECK_FALSE(watch.is_untried());
    CHECK_FALSE(watch.is_idle());
    CHECK_FALSE(is_overdue_after(999ms, 2, 0));
    CHECK(is_overdue_after(1ms, 2, 0));
    look(0, 0);
    CHECK(watch.is_untried());
    CHECK_FALSE(watch.is_idle());
    look(0, 1);
    CHECK_FALSE(watch.is_starting());
    CHECK_FALSE(watch.is_untried());
    CHECK(watch.is_idle());
}

TEST_CASE_FIXTURE(Fixture, "a queue that was empty for a moment begins anew")
{
    look(1, 5);
    CHECK_FALSE(is_overdue_after(60ms, 0, 5));
    CHECK_FALSE(is_overdue_after(60ms, 1, 5));
    CHECK(is_overdue_after(100ms, 1, 5));
}

TEST_CASE_FIXTURE(Fixture, "who was passed over is idle again when it has taken one")
{
    look(3, 5);
    REQUIRE(is_overdue_after(100ms, 3, 5));
    watch.on_moved();
    CHECK_FALSE(watch.is_overdue(now, 100ms));
    CHECK(watch.is_passed_over(5));
    CHECK_FALSE(watch.is_passed_over(6)); // its page may say so before the next look
    CHECK_FALSE(watch.is_worth_a_try());  // as of the last look there is something

    look(0, 5);
    CHECK(watch.is_worth_a_try());
    CHECK_FALSE(watch.is_idle());
    CHECK_FALSE(is_overdue_after(50ms, 1, 5));
    CHECK_FALSE(watch.is_worth_a_try());
    CHECK(is_overdue_after(100ms, 1, 5)); // that one goes on as well
    watch.on_moved();

    look(0, 6);
    CHECK(watch.is_idle());
    CHECK_FALSE(watch.is_passed_over(6));
}

TEST_CASE_FIXTURE(Fixture, "who was passed over has its turn again ever later, until it takes one")
{
    const auto is_passed_over_for = [&](std::chrono::milliseconds pause) {
        look(1, 5);
        watch.on_moved();
        look(0, 5);
        CHECK_FALSE(watch.has_turn());
        now += pause - 1ms;
        look(0, 5);
        const bool was_early = watch.has_turn();
        now += 1ms;
        look(0, 5);
        return !was_early && watch.has_turn();
    };
    CHECK(watch.has_turn());
    for (const auto pause : {100ms, 200ms, 400ms, 800ms, 1'000ms, 1'000ms})
        CHECK(is_passed_over_for(pause));
    look(0, 6);
    CHECK(watch.has_turn());
    look(1, 6);
    watch.on_moved();
    now += 100ms;
    look(0, 6);
    CHECK(watch.has_turn());
}

TEST_SUITE_END();

} // namespace usher::queue_watch_test
