// SPDX-License-Identifier: MIT
#include "balancer/worker/rate_meter.hpp"

#include <doctest/doctest.h>

namespace usher::rate_meter_test {

using namespace std::chrono_literals;

namespace {

constexpr RateMeter::Clock::time_point start{1h};

} // namespace

TEST_SUITE_BEGIN("rate_meter");

TEST_CASE("before anybody has looked, and a moment later, nothing is known")
{
    RateMeter meter;
    CHECK(meter.per_second(start, 100) == 0);
    meter.look(start, 100);
    CHECK(meter.per_second(start + 99ms, 200) == 0);
    CHECK(meter.per_second(start + 100ms, 200) == doctest::Approx(1'000));
}

TEST_CASE("what counts are the last seconds")
{
    RateMeter meter;
    std::uint64_t count = 0;
    for (int second = 0; second < 20; ++second)
        meter.look(start + second * 1s, count += 10);
    CHECK(meter.per_second(start + 20s, count + 10) == doctest::Approx(10));
    for (int second = 20; second < 26; ++second)
        meter.look(start + second * 1s, count);
    CHECK(meter.per_second(start + 26s, count) == 0);
}

TEST_CASE("looks that come faster than once a second do not shorten that time")
{
    RateMeter meter;
    for (int i = 0; i < 1'000; ++i)
        meter.look(start + i * 10ms, static_cast<std::uint64_t>(i));
    CHECK(meter.per_second(start + 10s, 1'000) == doctest::Approx(100));
}

TEST_CASE("a counter that has run backwards, since some went to others, is no rate below zero")
{
    RateMeter meter;
    meter.look(start, 10);
    CHECK(meter.per_second(start + 1s, 9) == 0);
}

TEST_SUITE_END();

} // namespace usher::rate_meter_test
