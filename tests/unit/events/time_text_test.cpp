// SPDX-License-Identifier: MIT
#include "balancer/events/time_text.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <ctime>

namespace usher::time_text_test {

using namespace std::chrono_literals;

namespace {

/// The time zone for one scope.
class ScopedZone {
public:
    explicit ScopedZone(const char* zone)
    {
        ::setenv("TZ", zone, 1);
        ::tzset();
    }
    ScopedZone(const ScopedZone&) = delete;
    ScopedZone& operator=(const ScopedZone&) = delete;
    ~ScopedZone()
    {
        ::unsetenv("TZ");
        ::tzset();
    }
};

constexpr std::chrono::system_clock::time_point epoch{};

} // namespace

TEST_SUITE_BEGIN("time_text");

TEST_CASE("a time is written with milliseconds and the zone's distance from Greenwich")
{
    {
        const ScopedZone zone{"UTC0"};
        CHECK(time_text(epoch + 1ms) == "1970-01-01T00:00:00.001+00:00");
        CHECK(time_text(epoch + 951'782'399'999ms) == "2000-02-28T23:59:59.999+00:00");
    }
    {
        const ScopedZone zone{"EAST-05:45"};
        CHECK(time_text(epoch) == "1970-01-01T05:45:00.000+05:45");
    }
    {
        const ScopedZone zone{"WEST03:30"};
        CHECK(time_text(epoch) == "1969-12-31T20:30:00.000-03:30");
    }
}

TEST_CASE("a time before 1970 counts its milliseconds upwards as well")
{
    const ScopedZone zone{"UTC0"};
    CHECK(time_text(epoch - 1ms) == "1969-12-31T23:59:59.999+00:00");
}

TEST_SUITE_END();

} // namespace usher::time_text_test
