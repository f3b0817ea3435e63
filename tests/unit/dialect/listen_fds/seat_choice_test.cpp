// SPDX-License-Identifier: MIT
#include "balancer/dialect/listen_fds/seat_choice.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace usher::seat_choice_test {

namespace {

/// A digit for each seat, so many wait there; behind it `t`: it is taken, `a`: and active, `l`: it
/// was the last that was active.
std::vector<SeatFacts> seats(const std::string& text)
{
    std::vector<SeatFacts> result;
    for (const char c : text) {
        if (c >= '0' && c <= '9')
            result.push_back({.waiting = static_cast<std::size_t>(c - '0')});
        else if (c == 'l')
            result.back().was_last_active = true;
        else if (c == 't' || c == 'a')
            result.back().is_taken = true, result.back().is_active = c == 'a';
    }
    return result;
}

constexpr auto none = std::nullopt;

} // namespace

TEST_SUITE_BEGIN("seat_choice");

TEST_CASE("who gets the connections while nobody is ready, and who the next worker follows")
{
    struct Case {
        std::string seats;
        std::optional<std::size_t> heir;
        std::optional<std::size_t> next;
    };
    const Case cases[]{
        {"", none, none},    {"0", 0, 0},           {"0 0 0", 0, 0},    {"0 0l 0", 1, 1},
        {"0 9 0l", 2, 2},    {"0 9 3", 0, 0},       {"0 9 0t", 2, 1},   {"0l 9 0t", 2, 1},
        {"0t 0l 0t", 0, 1},  {"0t 0tl 0", 1, 2},    {"0t 3 7 7", 0, 2}, {"0a 0l 4", none, 2},
        {"0a 0 0", none, 1}, {"0a 0a", none, none}, {"0t 0t", 0, none}, {"2t 0a 5t", none, none},
    };
    for (const auto& entry : cases) {
        const auto& text = entry.seats;
        const auto& heir = entry.heir;
        const auto& next = entry.next;
        CAPTURE(text);
        const auto facts = seats(text);
        CHECK(heir_of(facts) == heir);
        CHECK(next_seat_of(facts) == next);
    }
}

TEST_SUITE_END();

} // namespace usher::seat_choice_test
