// SPDX-License-Identifier: MIT
#include "balancer/config/json/json_text.hpp"

#include "balancer/config/json/config_error.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <string>

namespace usher::json_text_test {

namespace {

std::string error_of(std::string_view text)
{
    try {
        static_cast<void>(parse_json(text, "f"));
        return "no error";
    } catch (const ConfigError& error) {
        return error.what();
    }
}

std::string nested(std::size_t levels)
{
    return std::string(levels, '[') + std::string(levels, ']');
}

} // namespace

TEST_SUITE_BEGIN("json_text");

TEST_CASE("plain JSON is parsed, a byte order mark is skipped")
{
    CHECK(parse_json(R"({"a": [1, {"a": null}], "b": {"a": 2}})", "f")["b"]["a"] == 2);
    CHECK(parse_json("\xef\xbb\xbf{}", "f").empty());
}

TEST_CASE("a syntax error says where it is and what was expected")
{
    CHECK(error_of("{") == "f: line 1, column 2: is not JSON: unexpected end of input; expected "
                           "string literal");
    CHECK(error_of("{} {}") == "f: line 1, column 4: is not JSON: unexpected '{'; expected end of "
                               "input");
    CHECK(error_of("{'a': 1}") ==
          "f: line 1, column 2: is not JSON: invalid literal; expected string literal");
    CHECK(error_of("\"\xff\"") ==
          "f: line 1, column 2: is not JSON: invalid string: ill-formed UTF-8 byte");
}

TEST_CASE("the text that was read last does not get into the message")
{
    CHECK(error_of("\"; expected x\n") ==
          "f: line 1, column 14: is not JSON: invalid string: control character U+000A (LF) must "
          "be escaped to \\u000A or \\n");
}

TEST_CASE("a zero byte does not end the document early")
{
    CHECK(error_of(std::string_view{"{}\n\0 {", 6}) ==
          "f: line 2, column 1: is a zero byte, not JSON; remove it");
}

TEST_CASE("comments are passed over")
{
    CHECK(parse_json("// first\n{/* a */\"a\": /* \" */ 1, // } \n\"b\": \"/*\" /***/}//", "f") ==
          nlohmann::json{{"a", 1}, {"b", "/*"}});
    CHECK(parse_json("\xef\xbb\xbf// a\r\n{}", "f").empty());
}

TEST_CASE("comments move no place that an error names")
{
    CHECK(error_of("{\n  // why\n  \"a\": x}") ==
          "f: line 3, column 8: is not JSON: invalid literal");
    CHECK(error_of("{ /* a\n b\n */ \"a\": x}") ==
          "f: line 3, column 10: is not JSON: invalid literal");
    CHECK(error_of("{\"a\": /* ä */ [1, /* */ /**/ x]}") ==
          "f: line 1, column 31: is not JSON: invalid literal");
    CHECK(error_of("// {\n{\"a\": 1, // \"a\": 3\n \"a\": 2}") ==
          "f: /a: appears twice; remove one");
    CHECK(error_of("[// x\n 1e999]") == "f: /0: is a number too large to read; use a smaller one");
    CHECK(error_of("[1] // ok\n /* also */ 2") ==
          "f: line 2, column 13: is not JSON: unexpected number literal; expected end of input");
}

TEST_CASE("a comment that is none, or has no end, is named where it begins")
{
    CHECK(error_of("{}\n/* a /* b\n\n") ==
          "f: line 2, column 1: is a comment without an end; add */ behind it");
    CHECK(error_of("{\"/*\": \"\\\"/*\", /*/") ==
          "f: line 1, column 16: is a comment without an end; add */ behind it");
    CHECK(error_of("/") ==
          "f: line 1, column 2: is not JSON: invalid comment; expecting '/' or '*' "
          "after '/'");
    CHECK(error_of("{ # a\n}") ==
          "f: line 1, column 3: is not JSON: invalid literal; expected string literal");
}

TEST_CASE("a comma before the end is named as the one too many")
{
    CHECK(error_of("{\n  \"a\": 1,\n}") ==
          "f: line 2, column 9: is a comma before }, which is one too many; remove it");
    CHECK(error_of("[1, // \"the last\n/*,*/ ]") ==
          "f: line 1, column 3: is a comma before ], which is one too many; remove it");
    CHECK(error_of("[,]").find("unexpected ','") != std::string::npos);
}

TEST_CASE("a key twice in one object is refused")
{
    CHECK(error_of(R"({"a": [0, {"b/c": 1, "b/c": 2}]})") ==
          "f: /a/1/b~1c: appears twice; remove one");
    CHECK(error_of(R"({"a": 1, "\u0061": 2})") == "f: /a: appears twice; remove one");
}

TEST_CASE("64 levels are the deepest")
{
    CHECK(error_of(nested(64)) == "no error");
    CHECK(error_of(nested(65)) == "f: is nested deeper than 64 levels; make it flatter");
    CHECK(error_of(std::string(1'000'000, '[')) ==
          "f: is nested deeper than 64 levels; make it flatter");
}

TEST_CASE("a number that fits nowhere is refused with its place")
{
    CHECK(error_of(R"({"a": [[], 1e999]})") ==
          "f: /a/1: is a number too large to read; use a smaller one");
}

TEST_SUITE_END();

} // namespace usher::json_text_test
