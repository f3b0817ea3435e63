// SPDX-License-Identifier: MIT
#include "balancer/dialect/node/channel/v8_reader.hpp"

#include <doctest/doctest.h>

#include <string>

namespace usher::v8_reader_test {

using namespace usher::node::v8;
using namespace std::string_literals;
namespace {

constexpr std::size_t no_limit = 1'000'000;

/// `value` without its header, as JSON; why not, in words, if it cannot be.
std::string json_of(const std::string& value, std::size_t most = no_limit)
{
    std::string json;
    switch (to_json(value, json, most)) {
    case Result::done:
        return json;
    case Result::not_plain:
        return "not plain";
    case Result::too_long:
        return "too long: " + json;
    case Result::malformed:
        break;
    }
    return "malformed";
}

} // namespace

TEST_SUITE_BEGIN("v8_reader");

TEST_CASE("headers of Node 16 and later are taken")
{
    for (const char* const good : {"\xff\x0d", "\xff\x0f", "\xff\x10"})
        CHECK(value_in(good) == "");
    for (const char* const bad : {"", "\xff", "\xff\x0c", "o\x0f", "\xff\x80\x01"})
        CHECK_FALSE(value_in(bad));
}

TEST_CASE("plain values are JSON")
{
    CHECK(json_of("0") == "null");
    CHECK(json_of("T") == "true");
    CHECK(json_of("F") == "false");
    CHECK(json_of("I\xf6\x7e") == "8123");
    CHECK(json_of("I\1") == "-1");
    CHECK(json_of("I\xff\xff\xff\xff\x0f") == "-2147483648");
    CHECK(json_of("U\xff\xff\xff\xff\x0f") == "4294967295");
    CHECK(json_of("N\0\0\0\xc0\x0b\x5a\xe6\x41"s) == "3000000000");
    CHECK(json_of("N\0\0\0\0\0\0\xf8\x3f"s) == "1.5");
    CHECK(json_of("N\0\0\0\0\0\0\xf8\x7f"s) == "null"); // not a number
    CHECK(json_of("\0\0T"s) == "true");                 // after padding
}

TEST_CASE("texts are UTF-8, and what would disturb a terminal is escaped")
{
    CHECK(json_of("\"\3a\xe9\n") == "\"a\xc3\xa9\\n\"");
    CHECK(json_of("\"\5\"\\\x1b\x7f\x9b") == R"("\"\\\u001b\u007f\u009b")");
    CHECK(json_of("c\4\xe5\x65\x3d\xd8"s + "") == "\"\xe6\x97\xa5\xef\xbf\xbd\""); // half a pair
    CHECK(json_of("c\4\x3d\xd8\x00\xde"s) == "\"\xf0\x9f\x98\x80\"");
    CHECK(json_of("\"\0"s) == "\"\"");
}

TEST_CASE("objects and arrays, without what JSON leaves out")
{
    CHECK(json_of("o{\0"s) == "{}");
    CHECK(json_of("o\"\1uI\2\"\1v_\"\1wT{\3"s) == R"({"u":1,"w":true})");
    CHECK(json_of("o\"\1u_\"\1vI\2{\2"s) == R"({"v":1})");
    CHECK(json_of("oI\2I\4{\1"s) == R"({"1":2})");
    CHECK(json_of("A\3I\2_A\0$\0\0$\0\3"s) == "[1,null,[]]");
}

TEST_CASE("arrays with holes, which are null")
{
    CHECK(json_of("a\3I\0I\2I\4I\4@\2\3"s) == "[1,null,2]");
    CHECK(json_of("a\2I\0I\2I\2I\4@\2\2"s) == "[1,2]"); // as one that V8 has read
    CHECK(json_of("a\0@\0\0"s) == "[]");
    CHECK(json_of("a\3@\0\3"s) == "[null,null,null]");
    CHECK(json_of("a\3I\2_@\1\3"s) == "[null,null,null]");
    CHECK(json_of("a\3U\2T@\1\3"s) == "[null,null,true]");
    CHECK(json_of("a\2I\0a\2I\2T@\1\2@\1\2"s) == "[[null,true],null]");
    CHECK(json_of("o\"\1la\1I\0I\2@\1\1{\1"s) == R"({"l":[1]})");
    CHECK(json_of("A\3I\2-T$\0\3"s) == "[1,null,true]"); // it was taken while V8 wrote
    CHECK(json_of("a\xff\xff\xff\xff\x0f@\0\xff\xff\xff\xff\x0f"s, 10) == "too long: [null,null");
}

TEST_CASE("what is no array with holes is malformed, at every byte")
{
    const auto whole = "a\4I\0T\0I\4\"\1x@\2\4"s;
    CHECK(json_of(whole) == R"([true,null,"x",null])");
    for (std::size_t size = 0; size < whole.size(); ++size) {
        CAPTURE(size);
        CHECK(json_of(whole.substr(0, size)) == "malformed");
    }
    for (const auto& value : {"a\2I\4T@\1\2"s,     // behind its end
                              "a\2I\1T@\1\2"s,     // before its beginning
                              "a\2I\2TI\0T@\2\2"s, // not in order
                              "a\2I\2TI\2T@\2\2"s, // twice
                              "a\2I\2T@\2\2"s,     // a false number of keys
                              "a\2I\2T@\1\3"s}) {  // ... and length
        CAPTURE(value);
        CHECK(json_of(value) == "malformed");
    }
}

TEST_CASE("what JSON cannot say is not plain")
{
    for (const auto& value : {";I\2I\4:\2"s,                  // a map
                              "Z\x10\x0a\0\0\0\0\0\0\0"s,     // a BigInt
                              "D\0\0\0\0\0\0\0\0"s,           // a date
                              "o\"\1a^\0{\1"s,                // a cycle
                              "A\1I\2\"\1aI\2$\1\1"s,         // an array with a key
                              "a\1I\0I\2\"\1aI\2@\2\1"s,      // ... and with holes
                              "o\"\1a\\\x0a\1x{\1"s, "~"s}) { // a buffer; no tag at all
        CAPTURE(value);
        CHECK(json_of(value) == "not plain");
    }
}

TEST_CASE("what was cut short or says a false length is malformed, at every byte")
{
    const auto whole = "o\"\3cmdA\2N\0\0\0\0\0\0\xf8\x3f"
                       "c\2\xe5\x65$\0\2\"\1uI\xf6\x7e{\2"s;
    CHECK(json_of(whole) == "{\"cmd\":[1.5,\"\xe6\x97\xa5\"],\"u\":8123}");
    for (std::size_t size = 0; size < whole.size(); ++size) {
        CAPTURE(size);
        CHECK(json_of(whole.substr(0, size)) == "malformed");
    }
    for (const auto& value : {"\"\xff\xff\xff\xff\x0f"
                              "a"s,
                              "\"\xff\xff\xff\xff\xff\x0f"s, "A\xff\xff\xff\xff\x0fT"s, "c\3aaa"s,
                              "o{\1"s, "A\1T$\0\2"s}) {
        CAPTURE(value);
        CHECK(json_of(value) == "malformed");
    }
}

TEST_CASE("depth and size have their limits")
{
    std::string nested;
    for (int i = 0; i < 100'000; ++i)
        nested += "A\1"s;
    CHECK(json_of(nested) == "not plain");
    nested.clear();
    for (int i = 0; i < 100'000; ++i)
        nested += "a\1I\0"s;
    CHECK(json_of(nested) == "not plain");
    CHECK(json_of("\"\12xxxxxxxxxx", 5) == "too long: \"xxxx");
    CHECK(json_of("\"\3xxx", 5) == "\"xxx\"");
}

TEST_SUITE_END();

} // namespace usher::v8_reader_test
