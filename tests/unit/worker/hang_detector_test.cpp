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
