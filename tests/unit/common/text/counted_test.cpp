// SPDX-License-Identifier: MIT
#include "common/text/counted.hpp"

#include <doctest/doctest.h>

namespace usher::counted_test {

TEST_SUITE_BEGIN("counted");

TEST_CASE("one thing is one, and any other number are several")
{
    CHECK(counted(0, "connection") == "0 connections");
    CHECK(counted(1, "connection") == "1 connection");
    CHECK(counted(2, "more line") == "2 more lines");
    CHECK(counted(18'446'744'073'709'551'615U, "line") == "18446744073709551615 lines");
    CHECK(numbered("slot", {4}) == "slot 4");
    CHECK(numbered("slot", {1, 3, 4}) == "slots 1, 3, 4");
}

TEST_SUITE_END();

} // namespace usher::counted_test
