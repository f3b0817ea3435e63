// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

extern "C" {
#include "worker/c/json.h"
}

namespace usher::json_test {

namespace {

uw_text of(std::string_view text)
{
    return {text.data(), text.size()};
}

std::string from(uw_text text)
{
    return {text.at, text.size};
}

using Members = std::vector<std::pair<std::string, std::string>>;

/// Nothing if the text is no object.
std::optional<Members> members(std::string_view text)
{
    Members found;
    uw_json_members rest{of(text), false};
    uw_json_member member{};
    int result = 0;
    while ((result = uw_json_next_member(&rest, &member)) > 0)
        found.emplace_back(from(member.name), from(member.value));
    return result == 0 ? std::optional{found} : std::nullopt;
}

std::string unquoted(std::string text)
{
    text.resize(uw_json_unquote(of(text), text.data()));
    return text;
}

} // namespace

TEST_SUITE_BEGIN("json");

TEST_CASE("what is a value for the master is one here, and nothing else")
{
    for (const std::string_view text : {"{}",
                                        "[]",
                                        "null",
                                        "true",
                                        "false",
                                        "0",
                                        "-0",
                                        "-1.5e+3",
                                        "1E9",
                                        "12",
                                        R"("")",
                                        R"("a\"\\\/\b\f\n\r\t\u00e4\ud83d\ude00")",
                                        "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"",
                                        " [ 1 , [ ] , { \"a\" : { } } ]\r\n\t",
                                        R"({"a":1,"a":2})", // both are its own
                                        "",
                                        " ",
                                        "{",
                                        "[",
                                        "}",
                                        "]",
                                        "[1",
                                        "[1,",
                                        "[1,]",
                                        "[,]",
                                        "{\"a\"}",
                                        "{\"a\":}",
                                        "{\"a\":1,}",
                                        "{a:1}",
                                        "{1:1}",
                                        "[1}",
                                        "{\"a\":1]",
                                        "01",
                                        "1.",
                                        ".1",
                                        "1e",
                                        "1e+",
                                        "-",
                                        "+1",
                                        "nul",
                                        "nullx",
                                        "True",
                                        "1 2",
                                        "\"",
                                        "\"\\\"",
                                        "\"\\x\"",
                                        "\"\\u12\"",
                                        "\"\\u12g4\"",
                                        "\"\\ud800\"",
                                        "\"\\ud800\\u0041\"",
                                        "\"\\udc00\"",
                                        "\"a\nb\"",
                                        "\"\x80\"",
                                        "\"\xc0\xaf\"",
                                        "\"\xe0\x80\xaf\"",
                                        "\"\xed\xa0\x80\"",
                                        "\"\xf4\x90\x80\x80\"",
                                        "\"\xf5\x80\x80\x80\"",
                                        "\"\xe2\x82\"",
                                        "[[[[]]]]]",
                                        "\xc3\xa4",
                                        "'a'",
                                        "[1 2]",
                                        "[\"a\" \"b\"]",
                                        "{\"a\" 1}",
                                        "{\"a\":1 \"b\":2}",
                                        "/**/1",
                                        "NaN",
                                        "-Infinity"}) {
        CAPTURE(text);
        CHECK(uw_json_is_value(of(text)) == nlohmann::json::accept(text));
    }
    CHECK_FALSE(uw_json_is_value(of(std::string_view{"[\0]", 3})));
}

TEST_CASE("a value may be nested 63 deep and no deeper, so that its line is 64")
{
    const auto nested = [](std::size_t depth) {
        return std::string(depth, '[') + std::string(depth, ']');
    };
    CHECK(uw_json_is_value(of(nested(63))));
    CHECK_FALSE(uw_json_is_value(of(nested(64))));
    CHECK_FALSE(uw_json_is_value(of(std::string(65'536, '['))));
    CHECK(members("{\"a\":" + nested(63) + "}"));
}

TEST_CASE("the members of an object are found, and their values as they are written")
{
    CHECK(members(R"({"a":1,"b":{"a":[1,{"c":2}]},"c":"x,\"}"})") ==
          Members{{"a", "1"}, {"b", R"({"a":[1,{"c":2}]})"}, {"c", R"("x,\"}")"}});
    CHECK(members(" { \"a\" :\t1.50 , \"b\" : [ 1 ,2 ]\r } ") ==
          Members{{"a", "1.50"}, {"b", "[ 1 ,2 ]"}});
    CHECK(members("{}") == Members{});
    for (const std::string_view text :
         {"", "1", "[]", "{", "{\"a\":1", "{\"a\":1,", "{\"a\":1,}", "{,}", "{} 1", "{\"a\":1}}",
          "{\"a\" 1}", "{\"a\":1 \"b\":2}", "{\"a\":01}", "{\"a\":[}"}) {
        CAPTURE(text);
        CHECK_FALSE(members(text));
    }
}

TEST_CASE("strings are read, also where they are")
{
    CHECK(unquoted(R"("plain")") == "plain");
    CHECK(unquoted(R"("\"\\\/\b\f\n\r\t")") == "\"\\/\b\f\n\r\t");
    CHECK(unquoted(R"("\u0041\u00e4\u20ac\ud83d\ude00")") ==
          "A\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
    CHECK(unquoted(R"("\u0000")") == std::string(1, '\0'));
    CHECK(unquoted("\"\"").empty());
}

TEST_CASE("whole numbers are read up to the largest")
{
    std::uint64_t value = 7;
    CHECK(uw_json_to_number(of("0"), &value));
    CHECK(value == 0);
    CHECK(uw_json_to_number(of("18446744073709551615"), &value));
    CHECK(value == UINT64_MAX);
    for (const std::string_view text : {"18446744073709551616", "-1", "1.0", "1e3", "\"1\"", ""}) {
        CAPTURE(text);
        CHECK_FALSE(uw_json_to_number(of(text), &value));
    }
}

TEST_SUITE_END();

} // namespace usher::json_test
