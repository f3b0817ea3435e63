// SPDX-License-Identifier: MIT
#include "balancer/bus/topic.hpp"

#include <doctest/doctest.h>

#include <string>

namespace usher::topic_test {

TEST_SUITE_BEGIN("topic");

TEST_CASE("a topic is words joined by dots")
{
    for (const auto* topic : {"a", "cache.clear", "a.b.c", "A-1._x.~", "usher.events.exit"})
        CHECK_MESSAGE(is_topic(topic), topic);
    for (const auto* wrong : {"", ".", "a.", ".a", "a..b", "a b", "a\tb", "a.*", ">", "a>b", "a*",
                              "a\"b", "a\\b", "\xc3\xa4", "a\n"})
        CHECK_FALSE_MESSAGE(is_topic(wrong), wrong);
}

TEST_CASE("in a pattern * is a word, and > the rest")
{
    for (const auto* pattern : {"a", "*", ">", "a.*", "*.b", "a.*.c", "a.>", "*.>", "a.*.>"})
        CHECK_MESSAGE(is_pattern(pattern), pattern);
    for (const auto* wrong : {"", "a.", ">.a", "a.>.b", "a*", "*a", "a>", "**", ">>", "a..>"})
        CHECK_FALSE_MESSAGE(is_pattern(wrong), wrong);
}

TEST_CASE("words and bytes are limited")
{
    std::string words = "a";
    for (std::size_t i = 1; i < most_topic_words; ++i)
        words += ".a";
    CHECK(is_topic(words));
    CHECK_FALSE(is_topic(words + ".a"));
    CHECK(is_topic(std::string(longest_topic, 'a')));
    CHECK_FALSE(is_topic(std::string(longest_topic + 1, 'a')));
}

TEST_CASE("the master's topics are its own")
{
    CHECK(is_reserved_topic("usher.events.exit"));
    CHECK(is_reserved_topic("usher"));
    CHECK_FALSE(is_reserved_topic("ushers.a"));
    CHECK_FALSE(is_reserved_topic("a.usher"));
}

TEST_SUITE_END();

} // namespace usher::topic_test
