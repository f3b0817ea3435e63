// SPDX-License-Identifier: MIT
#include "balancer/dialect/node/cluster/node_scheduler.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <map>
#include <vector>

namespace usher::node_scheduler_test {

using namespace std::chrono_literals;

using Answer = NodeScheduler::Answer;

namespace {

using Worker = NodeScheduler::Worker;
using Connection = NodeScheduler::Connection;

/// A scheduler and the time it is told.
struct Fixture {
    NodeScheduler scheduler{1};
    NodeScheduler::Clock::time_point now{1h};
    Connection last = 0;

    Connection offer()
    {
        scheduler.offer(++last);
        return last;
    }

    /// Who gets what waits now, in order.
    std::vector<Worker> deal()
    {
        std::vector<Worker> result;
        while (const auto assignment = scheduler.next(now))
            result.push_back(assignment->worker);
        return result;
    }

    /// The one who gets the next connection, which accepts it at once.
    Worker serve_one()
    {
        const auto connection = offer();
        const auto dealt = deal();
        REQUIRE(dealt.size() == 1);
        scheduler.on_answer(dealt.front(), connection, Answer::accepted, now);
        return dealt.front();
    }
};

using Workers = std::vector<Worker>;

} // namespace

TEST_SUITE_BEGIN("node_scheduler");

TEST_CASE_FIXTURE(Fixture, "one connection after the other goes round, in the order of arrival")
{
    for (const Worker worker : {3U, 1U, 2U})
        scheduler.add(worker);
    for (int i = 0; i < 3; ++i)
        for (const Worker worker : {3U, 1U, 2U})
            CHECK(serve_one() == worker);
}

TEST_CASE_FIXTURE(Fixture, "the longest idle worker is next, whatever its number")
{
    scheduler.add(1);
    scheduler.add(2);
    const auto first = offer();
    const auto second = offer();
    CHECK(deal() == Workers{1, 2});

    scheduler.on_answer(2, second, Answer::accepted, now);
    scheduler.on_answer(1, first, Answer::accepted, now);
    CHECK(serve_one() == 2);
    CHECK(serve_one() == 1);
}

TEST_CASE_FIXTURE(Fixture, "a worker has no more than the window, and nothing is accepted beyond")
{
    scheduler.set_window(2);
    scheduler.add(1);
    const auto first = offer();
    std::ignore = offer();
    std::ignore = offer();
    CHECK(deal() == Workers{1, 1});
    CHECK(scheduler.waiting() == 1);

    scheduler.on_answer(1, first, Answer::accepted, now);
    CHECK_FALSE(scheduler.has_room(now)); // somebody waits already
    CHECK(deal() == Workers{1});
    CHECK_FALSE(scheduler.has_room(now)); // the window is full
    scheduler.on_answer(1, 2, Answer::accepted, now);
    CHECK(scheduler.has_room(now));
}

TEST_CASE_FIXTURE(Fixture, "with a wide window the connections still go round")
{
    scheduler.set_window(16);
    scheduler.add(1);
    scheduler.add(2);
    for (int i = 0; i < 6; ++i)
        std::ignore = offer();
    CHECK(deal() == Workers{1, 2, 1, 2, 1, 2});
}

TEST_CASE_FIXTURE(Fixture, "with a wide window a busy worker gets less than an idle one")
{
    scheduler.set_window(16);
    scheduler.add(1);
    for (int i = 0; i < 3; ++i)
        std::ignore = offer();
    CHECK(deal() == Workers{1, 1, 1});
    scheduler.add(2);
    for (int i = 0; i < 3; ++i)
        std::ignore = offer();
    CHECK(deal() == Workers{2, 2, 2});
}

TEST_CASE_FIXTURE(Fixture, "without a worker there is no room, and what waits goes to the first")
{
    CHECK_FALSE(scheduler.has_room(now));
    CHECK_FALSE(scheduler.has_workers());
    std::ignore = offer();
    CHECK(deal().empty());
    scheduler.add(5);
    CHECK(deal() == Workers{5});
}

TEST_CASE_FIXTURE(Fixture, "what a lost worker had not replied to goes first, in its order")
{
    scheduler.set_window(2);
    scheduler.add(1);
    std::ignore = offer();
    std::ignore = offer();
    CHECK(deal() == Workers{1, 1});
    std::ignore = offer();

    CHECK(scheduler.lose(1) == 2);
    scheduler.set_window(3);
    scheduler.add(2);
    for (Connection expected = 1; expected <= 3; ++expected) {
        const auto assignment = scheduler.next(now);
        REQUIRE(assignment);
        CHECK(assignment->connection == expected);
        CHECK(assignment->worker == 2);
    }
    CHECK(scheduler.lose(1) == 0);
}

TEST_CASE_FIXTURE(Fixture, "a worker that is removed gets nothing, and its late refusal counts")
{
    scheduler.add(1);
    scheduler.add(2);
    const auto first = offer();
    CHECK(deal() == Workers{1});
    scheduler.remove(1);
    CHECK(serve_one() == 2);

    scheduler.on_answer(1, first, Answer::refused, now);
    CHECK(deal() == Workers{2});
}

TEST_CASE_FIXTURE(Fixture, "a refused connection goes to the others before it comes back")
{
    scheduler.add(1);
    scheduler.add(2);
    const auto connection = offer();
    CHECK(deal() == Workers{1});
    scheduler.on_answer(1, connection, Answer::refused, now);
    CHECK(deal() == Workers{2});
    scheduler.on_answer(2, connection, Answer::accepted, now);
    CHECK(scheduler.waiting() == 0);
}

TEST_CASE_FIXTURE(Fixture, "a connection that everybody refuses is offered again, ever more seldom")
{
    scheduler.add(1);
    scheduler.add(2);
    const auto connection = offer();
    auto pause = NodeScheduler::first_refusal_pause;
    for (int round = 0; round < 10; ++round) {
        for (int worker = 0; worker < 2; ++worker) {
            const auto dealt = deal();
            REQUIRE(dealt.size() == 1);
            scheduler.on_answer(dealt.front(), connection, Answer::refused, now);
        }
        CHECK(deal().empty());
        REQUIRE(scheduler.wake_at(now));
        CHECK(*scheduler.wake_at(now) - now == pause);
        now = *scheduler.wake_at(now);
        pause = std::min(2 * pause, NodeScheduler::longest_refusal_pause);
    }
}

TEST_CASE_FIXTURE(Fixture, "while a connection is refused a new worker gets it at once")
{
    scheduler.add(1);
    const auto connection = offer();
    CHECK(deal() == Workers{1});
    scheduler.on_answer(1, connection, Answer::refused, now);
    scheduler.add(2);
    CHECK(deal() == Workers{2});
}

TEST_CASE_FIXTURE(Fixture,
                  "a connection that one refused and that waits for one who hangs stops nobody")
{
    scheduler.add(1);
    scheduler.add(2);
    std::ignore = offer(); // with 1, who hangs from now on
    CHECK(deal() == Workers{1});
    const auto refused = offer();
    CHECK(deal() == Workers{2});
    scheduler.on_answer(2, refused, Answer::refused, now);
    CHECK(deal().empty());

    CHECK(scheduler.has_room(now)); // 2 is idle, and may have room for others
    CHECK(serve_one() == 2);
    CHECK(scheduler.waiting() == 1);
}

TEST_CASE_FIXTURE(Fixture, "who refused a connection gets it again while nobody else can take it")
{
    scheduler.add(1);
    scheduler.add(2);
    const auto held = offer();
    CHECK(deal() == Workers{1});
    const auto refused = offer();
    CHECK(deal() == Workers{2});
    auto pause = NodeScheduler::first_refusal_pause;
    for (int round = 0; round < 10; ++round) {
        scheduler.on_answer(2, refused, Answer::refused, now);
        CHECK(deal().empty());
        REQUIRE(scheduler.wake_at(now));
        CHECK(*scheduler.wake_at(now) - now == pause);
        now = *scheduler.wake_at(now);
        CHECK(deal() == Workers{2});
        pause = std::min(2 * pause, NodeScheduler::longest_refusal_pause);
    }
    // Within the pause it goes to the other as soon as that can take it.
    scheduler.on_answer(2, refused, Answer::refused, now);
    CHECK(deal().empty());
    scheduler.on_answer(1, held, Answer::accepted, now);
    CHECK(deal() == Workers{1});
}

TEST_CASE_FIXTURE(Fixture, "no more than so many that were refused wait")
{
    scheduler.add(1);
    std::size_t count = 0;
    while (scheduler.has_room(now) && count < 1000) {
        const auto connection = offer();
        CHECK(deal() == Workers{1});
        scheduler.on_answer(1, connection, Answer::refused, now);
        CHECK(deal().empty());
        ++count;
    }
    CHECK(count == NodeScheduler::most_refused);
    CHECK(scheduler.waiting() == count);
}

TEST_CASE_FIXTURE(Fixture, "a worker without descriptors rests, is tried again, and recovers")
{
    scheduler.set_window(4);
    scheduler.add(1);
    const auto first = offer();
    const auto second = offer();
    CHECK(deal() == Workers{1, 1});
    scheduler.on_answer(1, second, Answer::undelivered, now);
    scheduler.on_answer(1, first, Answer::undelivered,
                        now); // the same blow: no longer a rest for it
    CHECK(deal().empty());
    REQUIRE(scheduler.wake_at(now));
    CHECK(*scheduler.wake_at(now) - now == NodeScheduler::first_rest);

    now += NodeScheduler::first_rest;
    CHECK(deal() == Workers{1}); // one, to try
    scheduler.on_answer(1, first, Answer::undelivered, now);
    CHECK(*scheduler.wake_at(now) - now == 2 * NodeScheduler::first_rest);

    now += 2 * NodeScheduler::first_rest;
    CHECK(deal() == Workers{1});
    scheduler.on_answer(1, first, Answer::accepted, now);
    for (int i = 0; i < 3; ++i)
        std::ignore = offer();
    CHECK(deal() == Workers{1, 1, 1, 1});
}

TEST_CASE_FIXTURE(Fixture, "what one worker has no descriptor for goes to another at once")
{
    scheduler.add(1);
    scheduler.add(2);
    const auto connection = offer();
    CHECK(deal() == Workers{1});
    scheduler.on_answer(1, connection, Answer::undelivered, now);
    CHECK(deal() == Workers{2});
}

TEST_CASE_FIXTURE(Fixture,
                  "what cannot be sent to one goes to another, and to that one a little later")
{
    scheduler.set_window(2);
    scheduler.add(1);
    const auto connection = offer();
    CHECK(deal() == Workers{1});
    scheduler.on_answer(1, connection, Answer::unsent, now);
    CHECK(deal().empty());
    CHECK_FALSE(scheduler.has_room(now));
    REQUIRE(scheduler.wake_at(now));
    CHECK(*scheduler.wake_at(now) - now == NodeScheduler::first_rest);
    scheduler.add(2);
    CHECK(deal() == Workers{2});

    now += NodeScheduler::first_rest;
    scheduler.remove(2);
    std::ignore = offer();
    std::ignore = offer();
    CHECK(deal() == Workers{1, 1}); // its window is as it was: it has done nothing
}

TEST_CASE_FIXTURE(Fixture, "at the end everything is dealt, evenly, whatever the window")
{
    scheduler.add(1);
    scheduler.add(2);
    for (int i = 0; i < 10; ++i)
        std::ignore = offer();
    std::map<Worker, int> counts;
    while (const auto assignment = scheduler.force())
        ++counts[assignment->worker];
    CHECK(counts == std::map<Worker, int>{{1, 5}, {2, 5}});
}

TEST_SUITE_END();

} // namespace usher::node_scheduler_test
