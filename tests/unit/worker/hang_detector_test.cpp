// SPDX-License-Identifier: MIT
#include "balancer/worker/hang_detector.hpp"

#include <doctest/doctest.h>

namespace usher::hang_detector_test {

using namespace std::chrono_literals;

namespace {

constexpr HangDetector::Clock::time_point start{1h};

/// A worker with three connections in its queue that takes none.
struct Fixture {
    HangDetector detector;

    Fixture() { detector.forgive(start); }

    std::string look(std::chrono::milliseconds at, std::chrono::milliseconds stall_timeout)
    {
        return detector.look(
            {.now = start + at, .stall_timeout = stall_timeout, .figures = {.queued = 3}});
    }

    std::string look_at_heartbeat(std::chrono::milliseconds at,
                                  std::chrono::milliseconds stall_timeout,
                                  std::chrono::milliseconds promised = 0s)
    {
        return detector.look({.now = start + at,
                              .stall_timeout = stall_timeout,
                              .promised = promised,
                              .figures = {.heartbeat = start}});
    }
};

} // namespace

TEST_SUITE_BEGIN("hang_detector");

TEST_CASE_FIXTURE(Fixture, "a worker that takes nothing hangs after its stall_timeout, not before")
{
    CHECK(look(999ms, 1s).empty());
    CHECK(look(1s, 1s) == "its queue of 3 connections has not moved for 1s");
}

TEST_CASE_FIXTURE(Fixture, "another stall_timeout counts from where the old one did")
{
    CHECK(look(5s, 10s).empty());
    CHECK_FALSE(look(5s, 4s).empty());
    CHECK(look(5s, 0s).empty());
}

TEST_CASE_FIXTURE(Fixture, "what a worker took while nobody asked counts")
{
    CHECK(
        detector.look({.now = start + 1h, .stall_timeout = 0s, .figures = {.queued = 0}}).empty());
    CHECK(look(1h + 1ms, 1s).empty());
}

TEST_CASE_FIXTURE(Fixture, "who takes none hangs later if others get what it is offered")
{
    // It is offered one every two seconds, which soon goes to another.
    const auto look_after = [&](int offers, std::uint64_t taken) {
        return detector.look({.now = start + offers * 2s,
                              .stall_timeout = 10s,
                              .figures = {.queued = 0,
                                          .taken = taken,
                                          .moved = static_cast<std::uint64_t>(offers),
                                          .relieved = static_cast<std::uint64_t>(offers)}});
    };
    for (int i = 1; i < 16; ++i)
        CHECK(look_after(i, 0).empty());
    CHECK(look_after(16, 0) == "it has taken none of what others got in its place for 30s");
    for (int i = 17; i < 32; ++i)
        CHECK(look_after(i, 1).empty());
}

TEST_CASE_FIXTURE(Fixture, "what goes round among busy workers has helped nobody")
{
    const auto look_at = [&](std::chrono::milliseconds at, std::uint64_t moved) {
        return detector.look({.now = start + at,
                              .stall_timeout = 1s,
                              .figures = {.queued = moved % 2, .moved = moved}});
    };
    for (std::uint64_t i = 1; i < 11; ++i)
        CHECK(look_at(i * 100ms, i).empty());
    CHECK(look_at(1'100ms, 11) == "it has taken none of what waited for it for 1s");
}

TEST_CASE_FIXTURE(Fixture, "what others got long ago says nothing of a worker that is offered none")
{
    const auto look_at = [&](std::chrono::milliseconds at, std::uint64_t moved) {
        return detector.look({.now = start + at,
                              .stall_timeout = 1s,
                              .figures = {.moved = moved, .relieved = moved}});
    };
    CHECK(look_at(100ms, 1).empty());
    for (auto at = 200ms; at < 10s; at += 100ms)
        CHECK(look_at(at, 1).empty());
    CHECK(look_at(10s, 2).empty()); // busy once more, by chance
    CHECK(look_at(11s, 2).empty());
    CHECK(look_at(14s, 3).empty());
}

TEST_CASE_FIXTURE(Fixture, "what waits and cannot go to others counts from when it came")
{
    const auto look_at = [&](std::chrono::milliseconds at, std::uint64_t moved) {
        return detector.look({.now = start + at,
                              .stall_timeout = 1s,
                              .figures = {.queued = 1, .moved = moved, .relieved = moved}});
    };
    CHECK(look_at(900ms, 0).empty());
    CHECK(look_at(1s, 1).empty()); // that one went, another waits
    CHECK(look_at(1'999ms, 1).empty());
    CHECK(look_at(2s, 1) == "its queue of 1 connection has not moved for 1s");
}

TEST_CASE_FIXTURE(Fixture,
                  "a loop that stands still shows by its heartbeat, after 3 s at the least")
{
    CHECK(look_at_heartbeat(2'999ms, 1s).empty());
    CHECK(look_at_heartbeat(3s, 1s) == "its event loop has stood still for 3s");
    CHECK(look_at_heartbeat(9s, 10s).empty());
}

TEST_CASE_FIXTURE(Fixture, "nobody is held to a shorter watchdog than it was told of")
{
    CHECK(look_at_heartbeat(9s, 1s, 10s).empty());
    CHECK(look_at_heartbeat(10s, 1s, 10s) == "its event loop has stood still for 10s");
}

TEST_SUITE_END();

} // namespace usher::hang_detector_test
