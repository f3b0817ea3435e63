// SPDX-License-Identifier: MIT
#include "balancer/config/units/quote.hpp"

#include <doctest/doctest.h>

using namespace usher;

TEST_SUITE_BEGIN("quote");

TEST_CASE("plain text stays as it is")
{
    CHECK(quote("8000") == "\"8000\"");
    CHECK(quote("") == "\"\"");
    CHECK(printable("köln") == "köln");
}

TEST_CASE("what would break the line or the quotes is escaped")
{
    CHECK(quote("a\"b\\c") == R"("a\"b\\c")");
    CHECK(printable("a\nb\tc\x01\x7f") == "a\\nb\\tc\\u0001\\u007f");
    CHECK(printable(std::string_view{"\0", 1}) == "\\u0000");
}

TEST_CASE("long text is cut, but never inside a character")
{
    CHECK(printable("abcdef", 6) == "abcdef");
    CHECK(printable("abcdefg", 6) == "abcdef...");
    CHECK(printable("abcdeöfg", 6) == "abcde...");
    CHECK(printable("\x80\x80\x80", 2) == "...");
}

TEST_SUITE_END();
