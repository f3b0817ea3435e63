// SPDX-License-Identifier: MIT
#include "balancer/store/json_members.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

namespace usher::json_members_test {

namespace {

/// `NAME=VALUE;` of each member.
std::string members_of(std::string_view object)
{
    REQUIRE(is_json_object(object));
    std::string text;
    JsonMembers members{object};
    while (members.next())
        text.append(members.name()).append("=").append(members.value()).append(";");
    return text;
}

} // namespace

TEST_SUITE_BEGIN("json_members");

TEST_CASE("members come as the bytes they are")
{
    CHECK(members_of("{}").empty());
    CHECK(members_of(" { } ").empty());
    CHECK(members_of(R"({"a":1,"b":"x"})") == R"(a=1;b="x";)");
    CHECK(members_of("\t{ \"a\" :\r\n -1.5e3 , \"b\" : null } ") == "a=-1.5e3;b=null;");
    CHECK(members_of(R"({"a":{"b":[1,{"c":"}"}]},"d":[]})") == R"(a={"b":[1,{"c":"}"}]};d=[];)");
    CHECK(members_of(R"({"a":"\"},{","b\"":"\\"})") == R"(a="\"},{";b\"="\\";)");
    CHECK(members_of(R"({"a":1,"a":2})") == "a=1;a=2;");
    CHECK(members_of("{\"a\":[1 , 2 ] }") == "a=[1 , 2 ];");
}

TEST_CASE("objects are told from all else")
{
    for (const auto* text : {"", " ", "[]", "1", "\"{}\"", "{", "{}}", "{,}", "{\"a\"}", "{a:1}",
                             "{\"a\":1,}", "{\"a\":\"\xff\"}", "{\"a\":\"\x01\"}"})
        CHECK_FALSE_MESSAGE(is_json_object(text), text);
    CHECK(is_json("1"));
    using namespace std::string_view_literals;
    CHECK_FALSE(is_json("1\0"sv));
    CHECK_FALSE(is_json_object("{}\0x"sv));
    CHECK_FALSE(is_json("1 2"));
}

TEST_CASE("strings are read and written")
{
    CHECK(json_text("\"a\"") == "a");
    CHECK(json_text(R"("\u00e4\n\"")") == "\xc3\xa4\n\"");
    CHECK_FALSE(json_text("1"));
    CHECK_FALSE(json_text("null"));
    CHECK(json_quote("a\"\n\xc3\xa4") == "\"a\\\"\\n\xc3\xa4\"");
}

TEST_CASE("what is no UTF-8 is known")
{
    for (const auto* text : {"", "a", "\x7f", "\xc3\xa4", "\xf0\x9f\x98\x80"})
        CHECK(is_utf8(text));
    for (const auto* text : {"\xff", "a\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80"})
        CHECK_FALSE(is_utf8(text));
}

TEST_SUITE_END();

} // namespace usher::json_members_test
