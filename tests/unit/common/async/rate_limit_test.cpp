// SPDX-License-Identifier: MIT
#include "common/async/rate_limit.hpp"

#include <doctest/doctest.h>

namespace usher::rate_limit_test {

using namespace std::chrono_literals;

TEST_SUITE_BEGIN("rate_limit");

TEST_CASE("so many are taken in 10 s, and as many again in the next")
{
    constexpr RateLimit::Clock::time_point start{1h};
    RateLimit limit{2};
    CHECK(limit.take(start));
    CHECK(limit.take(start + 1s));
    CHECK_FALSE(limit.take(start + 2s));
    CHECK_FALSE(limit.take(start + 9'999ms));
    CHECK(limit.take(start + 10s));
    CHECK(limit.take(start + 19s));
    CHECK_FALSE(limit.take(start + 19s));
    CHECK(limit.take(start + 1h));
}

TEST_SUITE_END();

} // namespace usher::rate_limit_test
