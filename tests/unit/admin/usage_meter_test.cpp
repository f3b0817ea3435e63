// SPDX-License-Identifier: MIT
#include "balancer/admin/snapshot/usage_meter.hpp"

#include <doctest/doctest.h>

#include <tuple>

namespace usher::usage_meter_test {

using namespace std::chrono_literals;

namespace {

constexpr UsageMeter::Clock::time_point start{1h};

} // namespace

TEST_SUITE_BEGIN("usage_meter");

TEST_CASE("the first answer is of the time since the start, then of that since the last one")
{
    UsageMeter meter;
    CHECK(meter.look(start, 1, 10s, 5s) == doctest::Approx(50));
    CHECK(meter.look(start + 2s, 1, 12s, 7s) == doctest::Approx(100));
    CHECK(meter.look(start + 4s, 1, 14s, 7s) == doctest::Approx(0));
    CHECK(meter.look(start + 5s, 1, 15s, 9s) == doctest::Approx(200)); // two processors
}

TEST_CASE("who asks again at once gets the same answer, and does not spoil the next")
{
    UsageMeter meter;
    std::ignore = meter.look(start, 1, 1s, 0s);
    CHECK(meter.look(start + 1s, 1, 2s, 1s) == doctest::Approx(100));
    CHECK(meter.look(start + 1'400ms, 1, 2s, 1s) == doctest::Approx(100));
    CHECK(meter.look(start + 2s, 1, 3s, 1s) == doctest::Approx(0));
}

TEST_CASE("each process has its own, and one that was just started has used nothing")
{
    UsageMeter meter;
    CHECK(meter.look(start, 1, 10s, 1s) == doctest::Approx(10));
    CHECK(meter.look(start, 2, 0s, 0s) == doctest::Approx(0));
    CHECK(meter.look(start, 0, 10s, 2s) == doctest::Approx(20));
}

TEST_CASE("when a process of the group has ended, it has not used less than nothing")
{
    UsageMeter meter;
    std::ignore = meter.look(start, 1, 10s, 8s);
    CHECK(meter.look(start + 1s, 1, 11s, 2s) == doctest::Approx(0));
    CHECK(meter.look(start + 2s, 1, 12s, 3s) == doctest::Approx(100));
}

TEST_CASE("who was not asked about for a minute is forgotten")
{
    UsageMeter meter;
    std::ignore = meter.look(start, 1, 10s, 1s);
    meter.forget_old(start + 59s);
    CHECK(meter.look(start + 59s, 1, 69s, 1s) == doctest::Approx(0));
    meter.forget_old(start + 2min);
    CHECK(meter.look(start + 2min, 1, 100s, 50s) == doctest::Approx(50)); // as the first time
}

TEST_SUITE_END();

} // namespace usher::usage_meter_test
