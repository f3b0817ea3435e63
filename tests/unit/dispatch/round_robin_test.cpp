// SPDX-License-Identifier: MIT
#include "balancer/dispatch/round_robin.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <set>
#include <vector>

using namespace usher;

namespace {

/// The next `count` turns among `slots`, of which those in `skipped` are not eligible.
std::vector<std::size_t> turns(RoundRobin& policy, std::size_t slots, std::size_t count,
                               const std::set<std::size_t>& skipped = {})
{
    std::vector<std::size_t> result;
    for (std::size_t i = 0; i < count; ++i) {
        const auto slot =
            policy.pick(slots, [&skipped](std::size_t s) { return !skipped.contains(s); });
        REQUIRE(slot);
        policy.took(*slot);
        result.push_back(*slot);
    }
    return result;
}

using Slots = std::vector<std::size_t>;

bool nobody(std::size_t /*slot*/)
{
    return false;
}

bool everybody(std::size_t /*slot*/)
{
    return true;
}

} // namespace

TEST_SUITE_BEGIN("round_robin");

TEST_CASE("the slots take turns in their order")
{
    RoundRobin policy;
    CHECK((turns(policy, 3, 7) == Slots{0, 1, 2, 0, 1, 2, 0}));
}

TEST_CASE("a slot that is not eligible is passed over and owed nothing")
{
    RoundRobin policy;
    CHECK((turns(policy, 3, 4, {1}) == Slots{0, 2, 0, 2}));
    CHECK((turns(policy, 3, 4) == Slots{0, 1, 2, 0}));
}

TEST_CASE("the turn stays until a connection was taken")
{
    const RoundRobin policy;
    CHECK(policy.pick(3, everybody) == 0);
    CHECK(policy.pick(3, everybody) == 0);
}

TEST_CASE("without an eligible slot nobody is picked and the turn stays")
{
    RoundRobin policy;
    CHECK((turns(policy, 2, 1) == Slots{0}));
    CHECK_FALSE(policy.pick(2, nobody));
    CHECK_FALSE(policy.pick(0, everybody));
    CHECK((turns(policy, 2, 1) == Slots{1}));
}

TEST_CASE("slots may come and go")
{
    RoundRobin policy;
    CHECK((turns(policy, 4, 3) == Slots{0, 1, 2}));
    CHECK((turns(policy, 2, 2) == Slots{0, 1}));
    CHECK((turns(policy, 3, 3) == Slots{2, 0, 1}));
}

TEST_SUITE_END();
