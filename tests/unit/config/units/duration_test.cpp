// SPDX-License-Identifier: MIT
#include "balancer/config/units/duration.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <stdexcept>

namespace usher::duration_test {

using namespace std::chrono_literals;

namespace {

std::string error_of(std::string_view text)
{
    try {
        static_cast<void>(parse_duration(text));
        return "no error";
    } catch (const std::invalid_argument& error) {
        return error.what();
    }
}

} // namespace

TEST_SUITE_BEGIN("duration");

TEST_CASE("a whole number with its unit is read")
{
    CHECK(parse_duration("500ms") == 500ms);
    CHECK(parse_duration("30s") == 30s);
    CHECK(parse_duration("2m") == 2min);
    CHECK(parse_duration("1h") == 1h);
    CHECK(parse_duration("1d") == 24h);
    CHECK(parse_duration("0s") == 0s);
    CHECK(parse_duration("007s") == 7s);
}

TEST_CASE("a bare number is refused with both units it may have meant")
{
    CHECK(error_of("30") == "\"30\" has no unit: use 30s or 30ms");
}

TEST_CASE("what is no number with a unit is refused")
{
    for (const char* text :
         {"", "s", "1.5s", "-1s", "+1s", " 1s", "1 s", "1s ", "1S", "1y", "1msx"})
        CHECK(error_of(text) == "\"" + std::string{text} +
                                    "\" is no duration: use a whole number with ms, s, m, h or d, "
                                    "e.g. 30s");
}

TEST_CASE("a year is the longest, and nothing overflows")
{
    CHECK(parse_duration("365d") == longest_duration);
    CHECK(error_of("366d") == "\"366d\" is too long: use at most 365d");
    CHECK(error_of("31536000001ms") == "\"31536000001ms\" is too long: use at most 365d");
    CHECK(error_of("9223372036854775807d") ==
          "\"9223372036854775807d\" is too long: use at most 365d");
    CHECK(error_of("99999999999999999999ms") ==
          "\"99999999999999999999ms\" is too long: use at most 365d");
}

TEST_CASE("a duration is written in the largest unit that is exact, and read back the same")
{
    CHECK(format_duration(0ms) == "0s");
    CHECK(format_duration(100ms) == "100ms");
    CHECK(format_duration(1'500ms) == "1500ms");
    CHECK(format_duration(30s) == "30s");
    CHECK(format_duration(60s) == "1m");
    CHECK(format_duration(90s) == "90s");
    CHECK(format_duration(2h) == "2h");
    CHECK(format_duration(48h) == "2d");

    for (const auto duration : {0ms, 1ms, 999ms, 1'000ms, 61'000ms, 3'600'000ms, 86'400'000ms})
        CHECK(parse_duration(format_duration(duration)) == duration);
}

TEST_SUITE_END();

} // namespace usher::duration_test
