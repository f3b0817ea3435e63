// SPDX-License-Identifier: MIT
#include "common/async/back_off.hpp"
#include "common/async/rate_limit.hpp"

#include <doctest/doctest.h>

namespace usher::back_off_test {

using namespace std::chrono_literals;

TEST_SUITE_BEGIN("back_off");

TEST_CASE("each pause is twice as long as the one before, up to the longest, and begins anew")
{
    BackOff back_off{3ms, 20ms};
    for (const auto expected : {3ms, 6ms, 12ms, 20ms, 20ms})
        CHECK(back_off.next() == expected);
    back_off.reset();
    CHECK(back_off.next() == 3ms);
}

TEST_CASE("a pause is known from the number of the try")
{
    struct {
        unsigned times;
        std::chrono::milliseconds pause;
    } const table[] = {{0, 3ms}, {1, 3ms}, {2, 6ms}, {3, 12ms}, {4, 20ms}, {4'000'000'000, 20ms}};
    for (const auto& row : table)
        CHECK(doubled(3ms, row.times, 20ms) == row.pause);
    CHECK(doubled(30ms, 1, 20ms) == 20ms);
}

TEST_CASE("notes come at once, then at most every 10 s")
{
    const RateLimit::Clock::time_point start{};
    RateLimit limit;
    CHECK(limit.next() <= start);
    CHECK(limit.take(start));
    CHECK(limit.next() == start + 10s);
    CHECK_FALSE(limit.take(start + 9'999ms));
    CHECK(limit.take(start + 10s));
    CHECK_FALSE(limit.take(start + 11s));
}

TEST_SUITE_END();

} // namespace usher::back_off_test
