// SPDX-License-Identifier: MIT
#include "balancer/config/units/byte_size.hpp"

#include <doctest/doctest.h>

#include <string>
#include <tuple>

namespace usher::byte_size_test {

TEST_SUITE_BEGIN("byte_size");

TEST_CASE("a whole number with its unit")
{
    CHECK(parse_byte_size("1KiB") == 1024);
    CHECK(parse_byte_size("10MiB") == 10'485'760);
    CHECK(parse_byte_size("1024GiB") == 1ULL << 40);
    CHECK(format_byte_size(10'485'760) == "10MiB");
    CHECK(format_byte_size(1536) == "1536");
    CHECK(format_byte_size(3072) == "3KiB");
}

TEST_CASE("whatever is none is refused with what to write instead")
{
    for (const std::string bad : {"", "10", "MiB", "10 MiB", "10MB", "-1KiB", "1.5MiB"}) {
        const auto sentence =
            '"' + bad + "\" is no size: use a whole number with KiB, MiB or GiB, e.g. 10MiB";
        CHECK_THROWS_WITH(std::ignore = parse_byte_size(bad), sentence.c_str());
    }
    CHECK_THROWS_WITH(std::ignore = parse_byte_size("0KiB"),
                      "\"0KiB\" is too little: use at least 1KiB");
    CHECK_THROWS_WITH(std::ignore = parse_byte_size("1025GiB"),
                      "\"1025GiB\" is too much: use at most 1024GiB");
    CHECK_THROWS(std::ignore = parse_byte_size("99999999999999999999KiB"));
}

TEST_SUITE_END();

} // namespace usher::byte_size_test
