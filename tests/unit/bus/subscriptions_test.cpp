// SPDX-License-Identifier: MIT
#include "balancer/bus/subscriptions.hpp"

#include "balancer/bus/topic.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace usher::subscriptions_test {

using Members = std::vector<Subscriptions::Member>;

namespace {

Members find(const Subscriptions& subscriptions, std::string_view topic)
{
    Members members;
    subscriptions.find(topic, members);
    return members;
}

/// The rule as NATS words it, word by word, without a tree.
bool matches(std::string_view pattern, std::string_view topic)
{
    while (!pattern.empty()) {
        const auto word = take_word(pattern);
        if (word == ">")
            return !topic.empty();
        if (topic.empty())
            return false;
        if (const auto given = take_word(topic); word != "*" && word != given)
            return false;
    }
    return topic.empty();
}

} // namespace

TEST_SUITE_BEGIN("subscriptions");

TEST_CASE("a topic finds the patterns that it matches")
{
    Subscriptions subscriptions;
    const std::array patterns{"a.b", "a.*", "*.b", "a.>", ">", "*", "a.b.c", "*.*.*"};
    for (std::size_t i = 0; i < patterns.size(); ++i)
        CHECK(subscriptions.add(patterns.at(i), i));
    CHECK(find(subscriptions, "a.b") == Members{0, 1, 2, 3, 4});
    CHECK(find(subscriptions, "a") == Members{4, 5});
    CHECK(find(subscriptions, "a.x") == Members{1, 3, 4});
    CHECK(find(subscriptions, "a.b.c") == Members{3, 4, 6, 7});
    CHECK(find(subscriptions, "x.y.z") == Members{4, 7});
}

TEST_CASE("whoever has several patterns that match is found once")
{
    Subscriptions subscriptions;
    for (const auto* pattern : {"a.b", "a.*", ">", "*.>"})
        subscriptions.add(pattern, 7);
    CHECK(find(subscriptions, "a.b") == Members{7});
}

TEST_CASE("a pattern is there once, and goes once")
{
    Subscriptions subscriptions;
    CHECK(subscriptions.add("a.*", 1));
    CHECK_FALSE(subscriptions.add("a.*", 1));
    CHECK(subscriptions.add("a.*", 2));
    CHECK(subscriptions.remove("a.*", 1));
    CHECK_FALSE(subscriptions.remove("a.*", 1));
    CHECK_FALSE(subscriptions.remove("a.b", 2));
    CHECK_FALSE(subscriptions.remove("a.*.c", 2));
    CHECK(find(subscriptions, "a.x") == Members{2});
    CHECK_FALSE(subscriptions.is_empty());
    CHECK(subscriptions.remove("a.*", 2));
    CHECK(subscriptions.is_empty());
}

TEST_CASE("the tree finds what the rule finds, whatever was added and removed")
{
    std::minstd_rand dice{7};
    const auto roll = [&](std::size_t sides) { return dice() % sides; };
    const std::array words{"a", "b", "*", ">"};
    const auto make = [&](std::size_t kinds) {
        std::string text;
        for (auto count = 1 + roll(4); count > 0; --count) {
            const std::string word = words.at(roll(kinds));
            text += (text.empty() ? "" : ".") + word;
            if (word == ">")
                break;
        }
        return text;
    };
    Subscriptions subscriptions;
    std::set<std::pair<std::string, Subscriptions::Member>> known;
    for (int round = 0; round < 5'000; ++round) {
        const auto pattern = make(words.size());
        const auto member = roll(5);
        REQUIRE(is_pattern(pattern));
        if (roll(3) > 0)
            REQUIRE(subscriptions.add(pattern, member) == known.emplace(pattern, member).second);
        else
            REQUIRE(subscriptions.remove(pattern, member) == (known.erase({pattern, member}) > 0));
        const auto topic = make(2);
        std::set<Subscriptions::Member> expected;
        for (const auto& [each, who] : known)
            if (matches(each, topic))
                expected.insert(who);
        REQUIRE(find(subscriptions, topic) == Members{expected.begin(), expected.end()});
        REQUIRE(subscriptions.is_empty() == known.empty());
    }
}

TEST_SUITE_END();

} // namespace usher::subscriptions_test
