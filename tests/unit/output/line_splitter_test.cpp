// SPDX-License-Identifier: MIT
#include "balancer/output/line_splitter.hpp"

#include <doctest/doctest.h>

#include <random>
#include <string>
#include <utility>
#include <vector>

namespace usher::line_splitter_test {

namespace {

using Lines = std::vector<std::pair<std::string, bool>>;

/// The lines of `text` if it arrives in pieces of up to `most` bytes.
Lines split(const std::string& text, std::size_t longest, std::size_t most, unsigned seed = 1)
{
    Lines lines;
    const auto collect = [&](std::string_view line, bool cut) { lines.emplace_back(line, cut); };
    LineSplitter splitter{longest};
    std::minstd_rand dice{seed};
    for (std::size_t at = 0; at < text.size();) {
        const auto size = std::uniform_int_distribution<std::size_t>{1, most}(dice);
        splitter.feed(std::string_view{text}.substr(at, size), collect);
        at += size;
    }
    splitter.finish(collect);
    return lines;
}

} // namespace

TEST_SUITE_BEGIN("line_splitter");

TEST_CASE("bytes become lines, the last one also without its end")
{
    CHECK(split("one\n\ntwo", 100, 100) == Lines{{"one", false}, {"", false}, {"two", false}});
    CHECK(split("", 100, 100) == Lines{});
    CHECK(split("\n", 100, 100) == Lines{{"", false}});
}

TEST_CASE("a line that is too long is cut; one of just the longest length is not")
{
    CHECK(split("abcd\n", 4, 100) == Lines{{"abcd", false}});
    CHECK(split("abcde\n", 4, 100) == Lines{{"abcd", true}, {"e", false}});
    CHECK(split("abcdefgh\nx", 4, 100) == Lines{{"abcd", true}, {"efgh", false}, {"x", false}});
}

TEST_CASE("however the bytes are cut into pieces, the lines are the same")
{
    std::minstd_rand dice{42};
    for (unsigned round = 0; round < 500; ++round) {
        std::string text;
        for (int i = std::uniform_int_distribution{0, 200}(dice); i > 0; --i)
            text += dice() % 7 == 0 ? '\n' : static_cast<char>('a' + dice() % 26);
        const auto whole = split(text, 9, text.size() + 1);
        CHECK(split(text, 9, 1) == whole);
        CHECK(split(text, 9, 5, round + 1) == whole);
        CHECK(split(text, 9, 30, round + 1) == whole);

        std::string joined;
        for (const auto& [line, cut] : whole) {
            CHECK(line.size() <= 9);
            joined += line + (cut ? "" : "\n");
        }
        if (!text.empty() && text.back() != '\n')
            text += '\n';
        CHECK(joined == text);
    }
}

TEST_SUITE_END();

} // namespace usher::line_splitter_test
