// SPDX-License-Identifier: MIT
#include "balancer/hooks/hook_queue.hpp"

#include <doctest/doctest.h>

#include <string>

namespace usher::hook_queue_test {

namespace {

Hook hook(std::size_t number)
{
    return {.name = std::to_string(number)};
}

} // namespace

TEST_SUITE_BEGIN("hook_queue");

TEST_CASE("hooks begin in order, and no more run than may")
{
    HookQueue queue;
    CHECK(queue.is_idle());
    for (std::size_t i = 0; i < HookQueue::most_running + 2; ++i)
        CHECK(queue.add(hook(i)));
    std::size_t begun = 0;
    while (const auto next = queue.begin())
        CHECK(next->name == std::to_string(begun++));
    CHECK(begun == HookQueue::most_running);
    queue.on_ended();
    CHECK(queue.begin()->name == std::to_string(begun));
    CHECK_FALSE(queue.begin());
    CHECK_FALSE(queue.is_idle());
}

TEST_CASE("beyond those that may wait none is taken, until one has begun")
{
    HookQueue queue;
    for (std::size_t i = 0; i < HookQueue::most_waiting; ++i)
        CHECK(queue.add(hook(i)));
    CHECK_FALSE(queue.add(hook(0)));
    CHECK(queue.begin());
    CHECK(queue.add(hook(0)));
    CHECK_FALSE(queue.add(hook(0)));
}

TEST_CASE("those that wait can be dropped, and it is idle when those that run have ended")
{
    HookQueue queue;
    for (std::size_t i = 0; i < 5; ++i)
        CHECK(queue.add(hook(i)));
    CHECK(queue.begin());
    CHECK(queue.drop() == 4);
    CHECK(queue.drop() == 0);
    CHECK_FALSE(queue.is_idle());
    queue.on_ended();
    CHECK(queue.is_idle());
    CHECK_FALSE(queue.begin());
}

TEST_SUITE_END();

} // namespace usher::hook_queue_test
