// SPDX-License-Identifier: MIT
#include "balancer/events/log_limit.hpp"

#include <doctest/doctest.h>

#include <tuple>
#include <vector>

namespace usher::log_limit_test {

using namespace std::chrono_literals;

namespace {

constexpr LogLimit::Clock::time_point start{1h};

Event event_of(std::uint64_t worker, EventKind kind = EventKind::note)
{
    return {.kind = kind, .message = "text", .pool = "p", .slot = 1, .worker = worker};
}

/// How many lines 1000 such events make.
std::size_t lines_of_flood(LogLimit& limit, const Event& event)
{
    std::size_t result = 0;
    for (int i = 0; i < 1000; ++i)
        result += limit.lines_of(event, start + 1s).size();
    return result;
}

} // namespace

TEST_SUITE_BEGIN("log_limit");

TEST_CASE("of each kind of a worker so many become lines, and one says how many more there were")
{
    LogLimit limit;
    std::ignore = limit.lines_of(event_of(0), start);
    CHECK(lines_of_flood(limit, event_of(7)) == LogLimit::most);
    CHECK(lines_of_flood(limit, event_of(7, EventKind::message)) == LogLimit::most);
    CHECK(lines_of_flood(limit, event_of(8)) == LogLimit::most);

    const auto own = limit.lines_of(event_of(9), start + 9s);
    REQUIRE(own.size() == 1);
    CHECK(own.front().message == "text");
    const auto next = limit.lines_of(event_of(9), start + 10s);
    REQUIRE(next.size() == 4);
    CHECK(next.front().message == "pool \"p\", worker 1: left out 900 more lines of kind note");
    CHECK(next.front().pool == "p");
    CHECK(next.front().slot == 1);
    CHECK(next.back().message == "text");
    CHECK(lines_of_flood(limit, event_of(7)) == LogLimit::most);
}

TEST_CASE("what is of no worker is never left out")
{
    LogLimit limit;
    CHECK(lines_of_flood(limit, event_of(0)) == 1000);
}

TEST_CASE("the last event brings what was left out so far")
{
    LogLimit limit;
    CHECK(lines_of_flood(limit, event_of(7)) == LogLimit::most);
    CHECK(limit.lines_of({.kind = EventKind::stopped}, start + 2s).size() == 2);
}

TEST_SUITE_END();

} // namespace usher::log_limit_test
