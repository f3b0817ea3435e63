// SPDX-License-Identifier: MIT
#include "balancer/dialect/node/cluster/relay_losses.hpp"

#include <doctest/doctest.h>

#include <chrono>

namespace usher::relay_losses_test {

using namespace std::chrono_literals;

TEST_SUITE_BEGIN("relay_losses");

TEST_CASE("the first loss is told at once, the others every ten seconds, each once")
{
    RelayLosses losses;
    const RelayLosses::Clock::time_point start{5s};
    CHECK(losses.take_due(start) == 0);
    losses.add(1);
    CHECK(losses.take_due(start) == 1);
    losses.add(2);
    CHECK(losses.take_due(start + 9'999ms) == 0);
    losses.add(3);
    CHECK(losses.take_due(start + 10s) == 5);
    CHECK(losses.take_due(start + 60s) == 0);
    losses.add(4);
    CHECK(losses.take_due(start + 61s) == 4);
    losses.add(7);
    CHECK(losses.take_rest() == 7);
    CHECK(losses.take_rest() == 0);
}

TEST_SUITE_END();

} // namespace usher::relay_losses_test
