// SPDX-License-Identifier: MIT
#include "balancer/dialect/node/channel/relayable.hpp"

#include "balancer/dialect/node/channel/node_codec.hpp"

#include <doctest/doctest.h>

#include <string>
#include <variant>
#include <vector>

namespace usher::relayable_test {

using namespace usher::node;
using namespace std::string_literals;

namespace {

constexpr auto json = NodeConfig::Serialization::json;
constexpr auto advanced = NodeConfig::Serialization::advanced;

const std::string deep = std::string(100, '[') + std::string(100, ']');
const std::string half = R"("\ud83d")";
const std::string text_of_300_kib = '"' + std::string(300UL * 1024, 'x') + '"';

/// True if decode() takes it for the program's, as must be for what this is about.
bool is_users(NodeConfig::Serialization serialization, const std::string& message)
{
    return std::holds_alternative<UserMessage>(decode(serialization, message));
}

} // namespace

TEST_SUITE_BEGIN("relayable");

TEST_CASE("what programs send in JSON can be relayed")
{
    for (const auto& message :
         {"1"s, "null"s, "\"ready\""s, "[]"s, "{}"s, half, deep, text_of_300_kib, R"("NODE_X")"s,
          R"({"cmd":"NODE_"})"s, R"({"cmd":1,"a":"NODE_X"})"s, R"(["cmd","NODE_X"])"s,
          R"({"cmd":["NODE_X"]})"s, R"({"cmd":{"cmd":"NODE_X"}})"s, R"([{"cmd":"NODE_X"}])"s,
          R"({"cmd":"NODE_X","cmd":"own"})"s, R"({"a":{"cmd":"NODE_X"},"half":)" + half + "}",
          R"({"text":"\"cmd\":\"NODE_X\"","long":)" + text_of_300_kib + "}"}) {
        CAPTURE(message.substr(0, 80));
        REQUIRE(is_users(json, message));
        CHECK(is_relayable(json, message));
    }
}

TEST_CASE("a command of Node's own in JSON cannot, where decode() does not see it either")
{
    const std::vector<std::string> messages{R"({"cmd":"NODE_X","a":)" + deep + "}",
                                            R"({"a":)" + deep + R"(,"cmd":"NODE_X"})",
                                            R"({"\u0063md":"\u004eODE_X","a":)" + deep + "}",
                                            R"({"cmd":"own","cmd":"NODE_X","a":)" + deep + "}",
                                            R"({"half":)" + half + R"(,"a":)" + deep +
                                                R"(,"cmd":"NODE_X"})",
                                            R"({"a":)" + text_of_300_kib + R"(,"cmd":"NODE_X"})"};
    for (const auto& message : messages) {
        CAPTURE(message.substr(0, 80));
        REQUIRE(is_users(json, message));
        CHECK_FALSE(is_relayable(json, message));
    }
}

TEST_CASE("what programs send in V8's format can be relayed, also what only V8 can read")
{
    for (const auto& value : {"T"s, "o{\0"s, "B\3abc"s, "!unknown"s, "\"\6NODE_X"s,
                              "o\"\1aB\6NODE_X{\1"s, "o\"\3cmd\"\5NODE_{\1"s}) {
        const auto message = "\xff\x0f" + value;
        CAPTURE(message);
        CHECK(is_relayable(advanced, message));
    }
}

TEST_CASE("a command of Node's own in V8's format cannot, nor what may hide one")
{
    const auto long_text = "\"\xa0\x1f" + std::string(4'000, 'x'); // more than is shown
    for (const auto& value :
         {"o\"\1a" + long_text + "\"\3cmd\"\6NODE_X{\2", "o\"\1aB\1x\"\3cmd\"\6NODE_X{\2"s,
          "o\"\1aB\1x\"\3cmdc\14N\0O\0D\0E\0_\0\0\1{\2"s, "o\"\1a!\"\6NODE_X{\1"s}) {
        const auto message = "\xff\x0f" + value;
        CAPTURE(message.substr(0, 80));
        REQUIRE(is_users(advanced, message));
        CHECK_FALSE(is_relayable(advanced, message));
    }
}

TEST_SUITE_END();

} // namespace usher::relayable_test
