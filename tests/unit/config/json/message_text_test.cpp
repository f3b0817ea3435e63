// SPDX-License-Identifier: MIT
#include "balancer/config/json/json_text.hpp"

#include "balancer/config/json/config_error.hpp"
#include "balancer/config/units/limits.hpp"

#include <doctest/doctest.h>

#include <string>

namespace usher::message_text_test {

namespace {

std::string error_of(const std::string& json)
{
    try {
        return "no error: " + message_text(json);
    } catch (const ConfigError& e) {
        return e.what();
    }
}

} // namespace

TEST_SUITE_BEGIN("message_text");

TEST_CASE("a message is on one line, and otherwise as it stood")
{
    CHECK(message_text(" { \"b\" : [ 1.50 , 12345678901234567890 ] ,\r\n\t\"a\" : null }\n") ==
          " { \"b\" : [ 1.50 , 12345678901234567890 ] ,  \t\"a\" : null } ");
    CHECK(message_text(R"( " a \" b \\" )") == R"( " a \" b \\" )");
    CHECK(message_text(R"({"a":{"b":1,"a":1},"b":[{"a":1},{"a":1}],"x":{"cmd":"NODE_X"}})") ==
          R"({"a":{"b":1,"a":1},"b":[{"a":1},{"a":1}],"x":{"cmd":"NODE_X"}})");
    CHECK(message_text(std::string(64, '[') + std::string(64, ']')).size() == 128);
    CHECK(message_text(R"({"cmd":"node","NODE_":"NODE_X"})") ==
          R"({"cmd":"node","NODE_":"NODE_X"})");
}

TEST_CASE("what no program can be sent is refused")
{
    CHECK(error_of("").starts_with("the message: line 1, column 1: is not JSON"));
    CHECK(error_of("1 2").starts_with("the message: line 1, column 3: is not JSON"));
    CHECK(error_of("[\"\n\"]").starts_with("the message: "));
    CHECK(error_of(R"("\ud800")").starts_with("the message: line 1"));
    CHECK(error_of(R"({"a":1,"a":2})") == "the message: /a: appears twice; remove one");
    CHECK(error_of(R"([{"b":{"a":1},"a":1,"c":[],"a":2}])") ==
          "the message: /0/a: appears twice; remove one");
    CHECK(error_of(std::string(65, '[') + std::string(65, ']')).find("is nested deeper than 64") !=
          std::string::npos);
    CHECK(error_of("[1e999]").starts_with("the message: /0: is a number too large"));
    CHECK(error_of(std::string("1\0", 2)).find("is a zero byte") != std::string::npos);
    CHECK(error_of(R"({"cmd":"NODE_CLUSTER"})") ==
          "the message: /cmd: begins with NODE_, which is for Node's own messages");
    CHECK(error_of(std::string(longest_message + 1, ' ')) == "the message: is longer than 4 MiB");
}

TEST_SUITE_END();

} // namespace usher::message_text_test
