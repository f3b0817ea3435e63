// SPDX-License-Identifier: MIT
#include "balancer/dialect/node/channel/relayed_message.hpp"

#include "balancer/dialect/node/channel/node_codec.hpp"
#include "balancer/dialect/node/channel/node_message.hpp"

#include <doctest/doctest.h>

#include <string>

namespace usher::relayed_message_test {

using namespace std::string_literals;

namespace {

constexpr auto json = NodeConfig::Serialization::json;
constexpr auto advanced = NodeConfig::Serialization::advanced;

} // namespace

TEST_SUITE_BEGIN("relayed_message");

TEST_CASE("it goes on as the bytes that came, the same for all")
{
    RelayedMessage line{json, R"({"a" : 1.0})"};
    CHECK(*line.as(json) == "{\"a\" : 1.0}\n");
    CHECK(line.as(json) == line.as(json));

    RelayedMessage buffer{advanced, "\xff\x0f"
                                    "B\3abc"};
    CHECK(*buffer.as(advanced) == "\0\0\0\7\xff\x0f"
                                  "B\3abc"s);
}

TEST_CASE("for a worker that reads another serialization it is written anew, if that can be")
{
    RelayedMessage line{json, R"({"a":1})"};
    CHECK(*line.as(advanced) == node::encode(advanced, R"({"a":1})"));
    CHECK(line.as(advanced) == line.as(advanced));
    RelayedMessage half{json, R"("\ud83d")"};
    CHECK(*half.as(advanced) == node::encode(advanced, "\"\xef\xbf\xbd\""));
    RelayedMessage plain{advanced, "\xff\x0fo\"\1aI\2{\1"};
    CHECK(*plain.as(json) == "{\"a\":1}\n");

    RelayedMessage buffer{advanced, "\xff\x0f"
                                    "B\3abc"};
    CHECK_FALSE(buffer.as(json));
    RelayedMessage deep{json, std::string(65, '[') + std::string(65, ']')};
    CHECK_FALSE(deep.as(advanced));
    RelayedMessage large{json, '"' + std::string(node::longest_internal, 'x') + '"'};
    CHECK_FALSE(large.as(advanced));
}

TEST_SUITE_END();

} // namespace usher::relayed_message_test
