// SPDX-License-Identifier: MIT
#include "balancer/bus/bus_line.hpp"

#include "balancer/bus/bus_limits.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <variant>

namespace usher::bus_line_test {

namespace {

BusLine decoded(std::string_view text)
{
    const auto result = decode_bus_line(text);
    REQUIRE_MESSAGE(std::holds_alternative<BusLine>(result), text);
    return std::get<BusLine>(result);
}

/// `CODE ID: REASON`
std::string error(std::string_view text)
{
    const auto result = decode_bus_line(text);
    REQUIRE_MESSAGE(std::holds_alternative<BusError>(result), text);
    const auto& refused = std::get<BusError>(result);
    return std::string{refused.code} + " " + std::string{refused.id} + ": " + refused.reason;
}

} // namespace

TEST_SUITE_BEGIN("bus_line");

TEST_CASE("what a message carries is the bytes that came")
{
    const auto line = decoded(
        R"( {"topic":"a.b" , "data" : {"x": [1, "}\"],{"] , "y":null} ,"id":7, "type":"publish"} )");
    CHECK(line.type == BusLine::Type::publish);
    CHECK(line.topic == "a.b");
    CHECK(line.id == "7");
    CHECK(line.data == R"({"x": [1, "}\"],{"] , "y":null})");
    for (const auto* data : {"null", "1", "-1.5e3", "\"\"", "[]", "{}", "true", "\"\\u00e4\\n\""})
        CHECK(decoded(std::string{R"({"type":"publish","topic":"t","data":)"} + data + "}").data ==
              data);
}

TEST_CASE("all members are read")
{
    const auto request = decoded(
        R"({"type":"request","id":"q1","pool":"web","slot":2,"topic":"t","timeout_ms":10,"max":3,"data":1})");
    CHECK(request.id == "\"q1\"");
    CHECK(request.pool == "web");
    CHECK(request.slot == 2);
    CHECK(request.timeout_ms == 10);
    CHECK(request.max == 3);
    const auto put =
        decoded(R"({"type":"put","key":"a\u00e4\n","value":[],"ttl_ms":5,"expected":0})");
    CHECK(put.key == "a\xc3\xa4\n");
    CHECK(put.data == "[]");
    CHECK(put.ttl_ms == 5);
    CHECK(put.expected == 0);
    CHECK(decoded(R"({"type":"increment","key":"n"})").by == 1);
    CHECK(decoded(R"({"type":"increment","key":"n","by":-9223372036854775808})").by == INT64_MIN);
    CHECK(decoded(R"({"type":"reply","id":1,"error":"x\ty"})").error == "\"x\\ty\"");
}

TEST_CASE("members that are not known, and those that are null, mean nothing")
{
    const auto line =
        decoded(R"({"type":"erase","key":"k","expected":null,"id":null,"new":{"a":[]}})");
    CHECK_FALSE(line.expected);
    CHECK(line.id.empty());
    CHECK(decoded(R"({"type":"publish","topic":"t","data":null})").data == "null");
}

TEST_CASE("what is no line is refused, with its id if that can be read")
{
    for (const auto* text : {"", "x", "[]", "1", "\"a\"", "{", R"({"type":"hello"} x)",
                             "{\"type\":\"hello\",}", "{\"type\":\"hello\",\"a\":\"\xff\"}"})
        CHECK(error(text) == "bad-line : is no JSON object");
    CHECK(error("{}") == R"(bad-line : has no "type" that is known)");
    CHECK(error(R"({"id":3,"type":"hallo"})") == R"(bad-line 3: has no "type" that is known)");
    CHECK(error(R"({"id":3,"type":7})") == R"(bad-line 3: has no "type" that is known)");
    std::string deep(deepest_bus_line, '[');
    deep += std::string(deepest_bus_line, ']');
    CHECK(error(R"({"type":"publish","topic":"t","data":)" + deep + "}") ==
          "bad-line : nests deeper than 64");
}

TEST_CASE("what a type cannot be without is named")
{
    CHECK(error(R"({"type":"publish","data":1})") == R"(bad-member : "publish" needs "topic")");
    CHECK(error(R"({"type":"publish","topic":"t","id":1})") ==
          R"(bad-member 1: "publish" needs "data")");
    CHECK(error(R"({"type":"request","topic":"t","data":1})") ==
          R"(bad-member : "request" needs "id")");
    CHECK(error(R"({"type":"request","id":1,"data":1})") ==
          R"(bad-member 1: "request" needs "topic")");
    CHECK(decoded(R"({"type":"request","id":1,"slot":1,"data":1})").topic.empty());
    CHECK(error(R"({"type":"subscribe"})") == R"(bad-member : "subscribe" needs "pattern")");
    CHECK(error(R"({"type":"reply","id":1})") == R"(bad-member 1: "reply" needs "data")");
    CHECK(error(R"({"type":"put","key":"k"})") == R"(bad-member : "put" needs "value")");
    CHECK(error(R"({"type":"put","key":"","value":1})") == R"(bad-member : "put" needs "key")");
    CHECK(error(R"({"type":"get","key":"k"})") == R"(bad-member : "get" needs "id")");
}

TEST_CASE("a member of the wrong kind is named")
{
    CHECK(error(R"({"type":"publish","topic":"a..b","data":1})")
              .starts_with(R"(bad-member : "topic" must be words)"));
    CHECK(error(R"({"type":"publish","topic":1,"data":1})") ==
          R"(bad-member : "topic" is no string)");
    CHECK(error(R"({"type":"subscribe","pattern":"a.>.b"})")
              .starts_with(R"(bad-member : "pattern" must be)"));
    for (const auto* number : {"-1", "1.5", "1e3", "\"1\"", "18446744073709551616", "[]"})
        CHECK(error(std::string{R"({"type":"send","data":1,"slot":)"} + number + "}")
                  .starts_with(R"(bad-member : "slot" is no whole number)"));
    CHECK(error(R"({"type":"request","id":1,"slot":1,"data":1,"timeout_ms":3600001})") ==
          R"(bad-member 1: "timeout_ms" may be 3600000 at most)");
    for (const auto* id : {"[]", "{}", "true", R"("a\"b")"})
        CHECK(error(std::string{R"({"type":"hello","id":)"} + id + "}")
                  .starts_with(R"(bad-member : "id" must be)"));
}

TEST_CASE("a key has no zero byte, which a program in C could not name")
{
    CHECK(error(R"({"type":"get","id":1,"key":"a\u0000b"})") ==
          R"(bad-member 1: "key" has a zero byte)");
}

TEST_CASE("what is too long is refused, and what is just not is taken")
{
    const auto line = [](std::size_t size) {
        return R"({"type":"publish","topic":"t","data":")" + std::string(size - 2, 'x') + "\"}";
    };
    CHECK(decoded(line(longest_bus_payload)).data.size() == longest_bus_payload);
    CHECK(error(line(longest_bus_payload + 1)) ==
          R"(too-long : "data" has 65537 bytes, 65536 are allowed)");
    const auto put = [](std::size_t size) {
        return R"({"type":"put","value":1,"key":")" + std::string(size, 'k') + "\"}";
    };
    CHECK(decoded(put(longest_store_key)).key.size() == longest_store_key);
    CHECK(error(put(longest_store_key + 1)) == R"(bad-member : "key" is longer than 255 bytes)");
    const std::string id(longest_bus_id - 2, 'i');
    CHECK(decoded(R"({"type":"hello","id":")" + id + "\"}").id.size() == longest_bus_id);
    CHECK(error(R"({"type":"hello","id":")" + id + "i\"}").starts_with("bad-member"));
}

TEST_SUITE_END();

} // namespace usher::bus_line_test
