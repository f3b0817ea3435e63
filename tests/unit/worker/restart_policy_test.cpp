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
    return RestartPolicy{{.first_delay = 100ms}}.after_exit(1ms, dice);
}

} // namespace

TEST_SUITE_BEGIN("restart_policy");

TEST_CASE("failures in a row wait twice as long each, up to the longest delay")
{
    RestartPolicy policy{{.first_delay = 100ms, .longest_delay = 300ms}};

    CHECK(policy.after_exit(1ms, no_jitter) == 100ms);
    CHECK(policy.after_exit(1ms, no_jitter) == 200ms);
    CHECK(policy.after_exit(1ms, no_jitter) == 300ms);
    CHECK(policy.after_exit(1ms, no_jitter) == 300ms);
    CHECK(policy.failures() == 4);
}

TEST_CASE("a first delay above the longest is cut to it")
{
    RestartPolicy policy{{.first_delay = 500ms, .longest_delay = 300ms}};
    CHECK(policy.after_exit(1ms, no_jitter) == 300ms);
}

TEST_CASE("a healthy run forgives what came before")
{
    RestartPolicy policy{{.first_delay = 100ms, .healthy_after = 10s}};
    std::ignore = policy.after_exit(1ms, no_jitter);
    std::ignore = policy.after_exit(9'999ms, no_jitter);
    CHECK(policy.failures() == 2);

    CHECK(policy.after_exit(10s, no_jitter) == 100ms);
    CHECK(policy.failures() == 1);
}

TEST_CASE("gives up after too many failures in a row")
{
    RestartPolicy policy{{.give_up_after = 2}};

    CHECK(policy.after_exit(1ms, no_jitter).has_value());
    CHECK(policy.after_exit(1ms, no_jitter).has_value());
    CHECK_FALSE(policy.after_exit(1ms, no_jitter).has_value());
    CHECK_FALSE(policy.after_exit(1ms, no_jitter).has_value());
}

TEST_CASE("a healthy run is forgiven even after the last failure but one")
{
    RestartPolicy policy{{.healthy_after = 10s, .give_up_after = 1}};
    CHECK(policy.after_exit(1ms, no_jitter).has_value());
    CHECK(policy.after_exit(10s, no_jitter).has_value());
    CHECK_FALSE(policy.after_exit(1ms, no_jitter).has_value());
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
