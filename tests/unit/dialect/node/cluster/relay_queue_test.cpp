// SPDX-License-Identifier: MIT
#include "balancer/dialect/node/cluster/relay_queue.hpp"

#include "balancer/dialect/node/channel/node_channel.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <string>

namespace usher::relay_queue_test {

namespace {

struct Fixture {
    RelayQueue queue;

    void push(const std::string& text) { queue.push(std::make_shared<const std::string>(text)); }
};

} // namespace

TEST_SUITE_BEGIN("relay_queue");

TEST_CASE_FIXTURE(Fixture, "messages are joined in order, as many as may go at once")
{
    for (const char* const text : {"one ", "two ", "three ", "four "})
        push(text);
    CHECK(*queue.take(8) == "one two ");
    CHECK(*queue.take(10) == "three ");
    CHECK(*queue.take(10) == "four ");
    CHECK(queue.is_empty());
}

TEST_CASE_FIXTURE(Fixture, "one that is longer goes alone, and is not copied")
{
    const auto large = std::make_shared<const std::string>(100, 'x');
    queue.push(large);
    push("behind");
    CHECK(queue.take(10) == large);
    CHECK(*queue.take(10) == "behind");
}

TEST_CASE_FIXTURE(Fixture, "the oldest are dropped until the others fit")
{
    const auto cost = NodeChannel::cost_of("1");
    for (const char* const text : {"1", "2", "3", "4"})
        push(text);
    CHECK(queue.shrink_to(4 * cost) == 0);
    CHECK(queue.shrink_to(3 * cost - 1) == 2);
    CHECK(*queue.take(10) == "34");
    push("5");
    CHECK(queue.shrink_to(cost) == 0); // what was taken costs nothing any more
    CHECK(queue.shrink_to(0) == 1);
    CHECK(queue.is_empty());
    CHECK(queue.shrink_to(0) == 0);
}

TEST_SUITE_END();

} // namespace usher::relay_queue_test
