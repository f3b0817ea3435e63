// SPDX-License-Identifier: MIT
#include "balancer/dispatch/accept_throttle.hpp"

#include <doctest/doctest.h>

#include <tuple>

namespace usher::accept_throttle_test {

using namespace std::chrono_literals;

namespace {

constexpr AcceptThrottle::Clock::time_point start{};

} // namespace

TEST_SUITE_BEGIN("accept_throttle");

TEST_CASE("failures in a row pause twice as long each, from 10 ms to 1 s")
{
    AcceptThrottle throttle;
    for (const auto expected : {10ms, 20ms, 40ms, 80ms, 160ms, 320ms, 640ms, 1'000ms, 1'000ms})
        CHECK(throttle.on_failure(start).duration == expected);
}

TEST_CASE("a success makes the next pause short again")
{
    AcceptThrottle throttle;
    std::ignore = throttle.on_failure(start);
    std::ignore = throttle.on_failure(start);
    throttle.on_success();
    CHECK(throttle.on_failure(start).duration == 10ms);
}

TEST_CASE("failures are reported once in 10 seconds, whatever succeeds between them")
{
    AcceptThrottle throttle;
    CHECK(throttle.on_failure(start).report);
    CHECK_FALSE(throttle.on_failure(start + 5s).report);
    throttle.on_success();
    CHECK_FALSE(throttle.on_failure(start + 9'999ms).report);
    CHECK(throttle.on_failure(start + 10s).report);
    CHECK_FALSE(throttle.on_failure(start + 11s).report);
}

TEST_SUITE_END();

} // namespace usher::accept_throttle_test
