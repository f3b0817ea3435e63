// SPDX-License-Identifier: MIT
#include "balancer/worker/restart_policy.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <optional>
#include <tuple>

namespace usher::restart_policy_test {

using namespace std::chrono_literals;

namespace {

constexpr double no_jitter = 0;

std::optional<RestartPolicy::Duration> first_delay(double dice)
{
    return RestartPolicy{}.after_exit({.first_delay = 100ms}, 1ms, dice);
}

} // namespace

TEST_SUITE_BEGIN("restart_policy");

TEST_CASE("failures in a row wait twice as long each, up to the longest delay")
{
    constexpr RestartConfig limits{.first_delay = 100ms, .longest_delay = 300ms};
    RestartPolicy policy;

    CHECK(policy.after_exit(limits, 1ms, no_jitter) == 100ms);
    CHECK(policy.after_exit(limits, 1ms, no_jitter) == 200ms);
    CHECK(policy.after_exit(limits, 1ms, no_jitter) == 300ms);
    CHECK(policy.after_exit(limits, 1ms, no_jitter) == 300ms);
    CHECK(policy.failures() == 4);
}

TEST_CASE("a first delay above the longest is cut to it")
{
    constexpr RestartConfig limits{.first_delay = 500ms, .longest_delay = 300ms};
    RestartPolicy policy;
    CHECK(policy.after_exit(limits, 1ms, no_jitter) == 300ms);
}

TEST_CASE("a healthy run forgives what came before")
{
    constexpr RestartConfig limits{.first_delay = 100ms, .healthy_after = 10s};
    RestartPolicy policy;
    std::ignore = policy.after_exit(limits, 1ms, no_jitter);
    std::ignore = policy.after_exit(limits, 9'999ms, no_jitter);
    CHECK(policy.failures() == 2);

    CHECK(policy.after_exit(limits, 10s, no_jitter) == 100ms);
    CHECK(policy.failures() == 1);
}

TEST_CASE("gives up after too many failures in a row")
{
    constexpr RestartConfig limits{.give_up_after = 2};
    RestartPolicy policy;

    CHECK(policy.after_exit(limits, 1ms, no_jitter).has_value());
    CHECK(policy.after_exit(limits, 1ms, no_jitter).has_value());
    CHECK_FALSE(policy.after_exit(limits, 1ms, no_jitter).has_value());
    CHECK_FALSE(policy.after_exit(limits, 1ms, no_jitter).has_value());
}

TEST_CASE("a healthy run is forgiven even after the last failure but one")
{
    constexpr RestartConfig limits{.healthy_after = 10s, .give_up_after = 1};
    RestartPolicy policy;
    CHECK(policy.after_exit(limits, 1ms, no_jitter).has_value());
    CHECK(policy.after_exit(limits, 10s, no_jitter).has_value());
    CHECK_FALSE(policy.after_exit(limits, 1ms, no_jitter).has_value());
}

TEST_CASE("the dice move the delay by a quarter at most")
{
    CHECK(first_delay(-1) == 75ms);
    CHECK(first_delay(-0.5) == 87ms);
    CHECK(first_delay(1) == 125ms);
    CHECK(first_delay(-7) == 75ms);
    CHECK(first_delay(std::numeric_limits<double>::infinity()) == 125ms);
}

TEST_SUITE_END();

} // namespace usher::restart_policy_test
