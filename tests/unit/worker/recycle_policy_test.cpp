// SPDX-License-Identifier: MIT
#include "balancer/worker/recycle_policy.hpp"

#include <doctest/doctest.h>

namespace usher::recycle_policy_test {

using namespace std::chrono_literals;

TEST_SUITE_BEGIN("recycle_policy");

TEST_CASE("without limits a worker is never due")
{
    const RecycleConfig none;
    const RecyclePolicy policy{none, 1.0};
    CHECK(policy.look({.connections = ~0ULL, .age = 24h * 365, .memory = ~0ULL}).empty());
}

TEST_CASE("each limit is met exactly, and the reason is given")
{
    const RecycleConfig limits{.max_connections = 100, .max_age = 1min, .max_memory = 3 << 20};
    const RecyclePolicy policy{limits, 0};
    CHECK(policy.look({.connections = 99, .age = 59'999ms, .memory = (3 << 20) - 1}).empty());
    CHECK(policy.look({.connections = 100}) == "it was given 100 connections");
    CHECK(policy.look({.age = 1min}) == "it is 1m old");
    CHECK(policy.look({.age = 61'700ms}) == "it is 61s old");
    CHECK(policy.look({.memory = 3 << 20}) == "it has 3 MiB of memory");
}

TEST_CASE("too much memory counts from an age on, and shows before")
{
    const RecycleConfig limits{.max_memory = 3 << 20};
    const RecyclePolicy policy{limits, 0};
    CHECK(policy.look({.age = 59s, .memory = 3 << 20, .memory_patience = 1min}).empty());
    CHECK(policy.look({.age = 1min, .memory = 3 << 20, .memory_patience = 1min}) ==
          "it has 3 MiB of memory");
    CHECK(policy.has_too_much(3 << 20));
    CHECK_FALSE(policy.has_too_much((3 << 20) - 1));
    const RecycleConfig none;
    CHECK_FALSE(RecyclePolicy{none, 0}.has_too_much(~0ULL));
}

TEST_CASE("the dice move every limit by a tenth at most")
{
    const RecycleConfig limits{.max_connections = 100, .max_age = 1s, .max_memory = 1'000};
    for (const auto& [dice, connections, age, memory] :
         {std::tuple{-1.0, 90U, 900ms, 900U}, std::tuple{1.0, 110U, 1'100ms, 1'100U},
          std::tuple{-7.0, 90U, 900ms, 900U}, std::tuple{0.5, 105U, 1'050ms, 1'050U}}) {
        const RecyclePolicy policy{limits, dice};
        CHECK(policy.limits().max_connections == connections);
        CHECK(policy.limits().max_age == age);
        CHECK(policy.limits().max_memory == memory);
    }
}

TEST_CASE("a limit of 1 stays one, and new limits are moved the same way")
{
    RecycleConfig limits{.max_connections = 1};
    const RecyclePolicy policy{limits, -1.0};
    CHECK(policy.limits().max_connections == 1);
    limits.max_connections = 10;
    CHECK(policy.limits().max_connections == 9);
    CHECK(policy.limits().max_age == 0ms);
}

TEST_SUITE_END();

} // namespace usher::recycle_policy_test
