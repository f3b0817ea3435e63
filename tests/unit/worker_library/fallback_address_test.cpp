// SPDX-License-Identifier: MIT
#include "worker/src/fallback_address.hpp"

#include <doctest/doctest.h>

#include <stdexcept>
#include <string>
#include <tuple>

using namespace usher::worker;

TEST_SUITE_BEGIN("fallback_address");

TEST_CASE("an address is a port, a host and a port, or a path")
{
    CHECK(parse_fallback_address("8000").to_string() == "0.0.0.0:8000");
    CHECK(parse_fallback_address("127.0.0.1:0").to_string() == "127.0.0.1:0");
    CHECK(parse_fallback_address("[::1]:65535").to_string() == "[::1]:65535");
    CHECK(parse_fallback_address("unix:/run/x.sock").to_string() == "unix:/run/x.sock");
}

TEST_CASE("anything else is refused with its text and what it could be")
{
    for (const std::string text :
         {"", ":", ":8000", "8000x", "65536", "-1", "127.0.0.1:", "127.0.0.1:http", "[::1]",
          "[::1:8000", "::1:8000", "unix:", "1.2.3:80", " 8000"}) {
        CAPTURE(text);
        CHECK_THROWS_AS(std::ignore = parse_fallback_address(text), std::invalid_argument);
    }
    CHECK_THROWS_WITH_AS(std::ignore = parse_fallback_address("localhost:8000"),
                         "\"localhost:8000\" has a name: use numbers, e.g. 127.0.0.1:8000",
                         std::invalid_argument);
}

TEST_SUITE_END();
