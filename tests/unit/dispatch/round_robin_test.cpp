// SPDX-License-Identifier: MIT
#include "balancer/dispatch/round_robin.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <set>
#include <vector>

namespace usher::round_robin_test {

namespace {

boost::dynamic_bitset<> all_but(std::size_t slots, const std::set<std::size_t>& skipped = {})
{
    boost::dynamic_bitset<> set{slots};
    for (std::size_t slot = 0; slot < slots; ++slot)
        set[slot] = !skipped.contains(slot);
    return set;
}

/// The next `count` turns among `slots`, of which those in `skipped` are not eligible.
std::vector<std::size_t> turns(RoundRobin& policy, std::size_t slots, std::size_t count,
                               const std::set<std::size_t>& skipped = {})
{
    std::vector<std::size_t> result;
    for (std::size_t i = 0; i < count; ++i) {
        const auto slot = policy.take_turn(all_but(slots, skipped));
        REQUIRE(slot);
        result.push_back(*slot);
    }
    return result;
}

using Slots = std::vector<std::size_t>;

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

TEST_CASE("without an eligible slot nobody is picked and the turn stays")
{
    RoundRobin policy;
    CHECK((turns(policy, 2, 1) == Slots{0}));
    CHECK_FALSE(policy.take_turn(all_but(2, {0, 1})));
    CHECK_FALSE(policy.take_turn(all_but(0)));
    CHECK((turns(policy, 2, 1) == Slots{1}));
}

TEST_CASE("slots may come and go")
{
    RoundRobin policy;
    CHECK((turns(policy, 4, 3) == Slots{0, 1, 2}));
    CHECK((turns(policy, 2, 2) == Slots{0, 1}));
    CHECK((turns(policy, 3, 3) == Slots{2, 0, 1}));
}

TEST_CASE("there may be more slots than a word has bits")
{
    RoundRobin policy;
    std::set<std::size_t> skipped;
    for (std::size_t slot = 0; slot < 200; ++slot)
        if (slot != 3 && slot != 63 && slot != 64 && slot != 199)
            skipped.insert(slot);
    CHECK((turns(policy, 200, 6, skipped) == Slots{3, 63, 64, 199, 3, 63}));
}

TEST_SUITE_END();

} // namespace usher::round_robin_test
