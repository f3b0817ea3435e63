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

std::optional<RestartPolicy::Duration> after(RestartPolicy& policy, const RestartConfig& limits,
                                             RestartPolicy::Duration uptime,
                                             double dice = no_jitter)
{
    PoolConfig config;
    config.restart = limits;
    return policy.after_exit(config, {.uptime = uptime}, dice);
}

std::optional<RestartPolicy::Duration> first_delay(double dice)
{
    RestartPolicy policy;
    return after(policy, {.first_delay = 100ms}, 1ms, dice);
}

} // namespace

TEST_SUITE_BEGIN("restart_policy");

TEST_CASE("failures in a row wait twice as long each, up to the longest delay")
{
    constexpr RestartConfig limits{.first_delay = 100ms, .longest_delay = 300ms};
    RestartPolicy policy;

    CHECK(after(policy, limits, 1ms) == 100ms);
    CHECK(after(policy, limits, 1ms) == 200ms);
    CHECK(after(policy, limits, 1ms) == 300ms);
    CHECK(after(policy, limits, 1ms) == 300ms);
    CHECK(policy.failures() == 4);
}

TEST_CASE("a first delay above the longest is cut to it")
{
    constexpr RestartConfig limits{.first_delay = 500ms, .longest_delay = 300ms};
    RestartPolicy policy;
    CHECK(after(policy, limits, 1ms) == 300ms);
}

TEST_CASE("a healthy run forgives what came before")
{
    constexpr RestartConfig limits{.first_delay = 100ms, .healthy_after = 10s};
    RestartPolicy policy;
    std::ignore = after(policy, limits, 1ms);
    std::ignore = after(policy, limits, 9'999ms);
    CHECK(policy.failures() == 2);

    CHECK(after(policy, limits, 10s) == 100ms);
    CHECK(policy.failures() == 1);
}

TEST_CASE("gives up after too many failures in a row")
{
    constexpr RestartConfig limits{.give_up_after = 2, .give_up = RestartConfig::GiveUp::exit};
    RestartPolicy policy;

    CHECK(after(policy, limits, 1ms).has_value());
    CHECK(after(policy, limits, 1ms).has_value());
    CHECK_FALSE(after(policy, limits, 1ms).has_value());
    CHECK_FALSE(after(policy, limits, 1ms).has_value());
}

TEST_CASE("unless it shall, it never gives up what was ready, and says when it is failing")
{
    constexpr RestartConfig limits{
        .first_delay = 1ms, .longest_delay = 8ms, .healthy_after = 10s, .give_up_after = 2};
    RestartPolicy policy;
    for (unsigned failures = 1; failures <= 100; ++failures) {
        CAPTURE(failures);
        CHECK(after(policy, limits, 1ms) == (failures == 1   ? 1ms
                                             : failures == 2 ? 2ms
                                             : failures == 3 ? 4ms
                                                             : 8ms));
        CHECK(policy.is_failing(limits) == (failures > 2));
    }
    CHECK(after(policy, limits, 10s) == 1ms); // it lived long enough
    CHECK_FALSE(policy.is_failing(limits));
}

TEST_CASE("who was ready and ends in order has not failed, however often it does")
{
    PoolConfig config;
    config.restart = {.first_delay = 100ms,
                      .longest_delay = 800ms,
                      .give_up_after = 2,
                      .give_up = RestartConfig::GiveUp::exit};
    RestartPolicy policy;
    const RestartPolicy::Exit failure{.was_ready = true};
    CHECK(policy.after_exit(config, failure, no_jitter) == 100ms);
    CHECK(policy.after_exit(config, failure, no_jitter) == 200ms);
    for (int i = 0; i < 10; ++i)
        CHECK(policy.after_exit(config, {.is_orderly = true, .was_ready = true}, no_jitter) ==
              100ms);
    CHECK_FALSE(policy.is_failing(config.restart));
    CHECK(policy.after_exit(config, failure, no_jitter) == 200ms);
}

TEST_CASE("a healthy run is forgiven even after the last failure but one")
{
    constexpr RestartConfig limits{
        .healthy_after = 10s, .give_up_after = 1, .give_up = RestartConfig::GiveUp::exit};
    RestartPolicy policy;
    CHECK(after(policy, limits, 1ms).has_value());
    CHECK(after(policy, limits, 10s).has_value());
    CHECK_FALSE(after(policy, limits, 1ms).has_value());
}

TEST_CASE("on trial the first failure is final; before any was ready, and where workers end in "
          "order, the last attempt")
{
    PoolConfig config;
    config.start_attempts = 3;
    config.restart = {.first_delay = 100ms,
                      .longest_delay = 100ms,
                      .give_up_after = 5,
                      .give_up = RestartConfig::GiveUp::exit};
    struct Case {
        RestartPolicy::Exit exit;
        unsigned starts; ///< after so many it is left down
    };
    const Case cases[]{
        {{}, 6},
        {{.was_any_ready = false}, 3},
        {{.is_on_trial = true}, 1},
        {{.is_on_trial = true, .was_any_ready = false}, 1},
        {{.uptime = config.restart.healthy_after, .is_on_trial = true}, 1},
        {{.is_orderly = true}, 6},
        {{.is_orderly = true, .was_any_ready = false}, 3},
        {{.is_on_trial = true, .is_orderly = true}, 3},
        {{.is_on_trial = true, .is_orderly = true, .was_any_ready = false}, 3},
        {{.uptime = config.restart.healthy_after, .is_on_trial = true, .is_orderly = true}, 3},
        {{.is_on_trial = true, .is_orderly = true, .was_ready = true}, 3},
    };
    for (const auto& entry : cases) {
        const auto& exit = entry.exit;
        const auto& starts = entry.starts;
        CAPTURE(starts);
        RestartPolicy policy;
        unsigned count = 1;
        while (policy.after_exit(config, exit, no_jitter))
            ++count;
        CHECK(count == starts);
        CHECK(policy.failures() == starts);
    }
}

TEST_CASE("who is followed at all is the configuration's to say, and that an exit with 0 is meant")
{
    using On = RestartConfig::On;
    struct Case {
        On on;
        bool after_success;
        bool after_failure;
    };
    const Case cases[]{
        {On::always, true, true}, {On::failure, false, true}, {On::never, false, false}};
    for (const auto& entry : cases) {
        const RestartConfig limits{.on = entry.on};
        CHECK(RestartPolicy::has_follower(limits, true) == entry.after_success);
        CHECK(RestartPolicy::has_follower(limits, false) == entry.after_failure);
    }
    CHECK(RestartPolicy::has_follower({}, true));
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
