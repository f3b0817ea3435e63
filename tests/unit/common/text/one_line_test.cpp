// SPDX-License-Identifier: MIT
#include "common/text/one_line.hpp"

#include <doctest/doctest.h>

namespace usher::one_line_test {

TEST_SUITE_BEGIN("one_line");

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
    CHECK(printable("a\u009b1m\u00a0") == "a\\u009b1m\u00a0");
    CHECK(escape("a\"\n") == "a\\\"\\n");
}

TEST_CASE("JSON says the same on one line")
{
    CHECK(json_on_one_line("{\"a\":\t\"\u009b1m \x7f \u202e \u2028 \u00f6\"}\r") ==
          "{\"a\": \"\\u009b1m \\u007f \\u202e \\u2028 \u00f6\"} ");
}

TEST_CASE("words of others are one line, in which a blank stands for each control character")
{
    CHECK(on_one_line("plain, \"quoted\" köln") == "plain, \"quoted\" köln");
    CHECK(on_one_line("a\nb\tc\x1b[1m\x7f\u0085\u009b") == "a b c [1m   ");
    CHECK(on_one_line("a\u2028b\u2029c") == "a b c");
    CHECK(on_one_line("\u061c\u200e\u200f\u202a\u202e\u2066\u2069|") == "       |");
    CHECK(on_one_line("\u00a0\u200b\u2027\u202f\u2065\u206a\U0001f600") ==
          "\u00a0\u200b\u2027\u202f\u2065\u206a\U0001f600");
    CHECK(on_one_line("") == "");
    CHECK(on_one_line("abcdeöfg", 6) == "abcde...");
}

TEST_CASE("what is no UTF-8 is as bad: a terminal may take it for Latin-1")
{
    CHECK(on_one_line("a\x9b"
                      "1m\xff\x80") == "a 1m  ");
    CHECK(on_one_line("\xc2") == " ");
    CHECK(on_one_line("\xe2\x80") == "  ");
    CHECK(on_one_line("\xe2\x28\xa1") == " ( ");
    CHECK(on_one_line("\xe0\x82\x9b") == "   "); // U+009B, written too long
    CHECK(on_one_line("\xc1\x9b") == "  ");
    CHECK(on_one_line("\xed\xa0\x9b") == "   ");      // half a character of UTF-16
    CHECK(on_one_line("\xf4\x90\x80\x9b") == "    "); // behind the last one
    CHECK(on_one_line("\xed\x9f\xbf\xf4\x8f\xbf\xbf") == "\xed\x9f\xbf\xf4\x8f\xbf\xbf");
    CHECK(printable("\x9b\u202e") == "\\u009b\\u202e");
}

TEST_CASE("long text is cut, but never inside a character")
{
    CHECK(printable("abcdef", 6) == "abcdef");
    CHECK(printable("abcdefg", 6) == "abcdef...");
    CHECK(printable("abcdeöfg", 6) == "abcde...");
    CHECK(printable("\x80\x80\x80", 2) == "...");
}

TEST_SUITE_END();

} // namespace usher::one_line_test
