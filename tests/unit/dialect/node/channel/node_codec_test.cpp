// SPDX-License-Identifier: MIT
#include "balancer/dialect/node/channel/node_codec.hpp"

#include "balancer/dialect/node/channel/node_frames.hpp"

#include <doctest/doctest.h>

#include <string>
#include <variant>

namespace usher::node_codec_test {

using namespace std::string_literals;
using Serialization = NodeConfig::Serialization;

TEST_SUITE_BEGIN("node_codec");

TEST_CASE("JSON is a line, V8's format has its length before it")
{
    const NodeCodec json{Serialization::json};
    CHECK(json.encode("{}") == "{}\n");
    CHECK(json.encode_connection("1", 2).ends_with("\"seq\":2}}\n"));

    const NodeCodec advanced{Serialization::advanced};
    CHECK(advanced.encode("{}") == "\0\0\0\5\xff\x0do{\0"s);
    const auto connection = advanced.encode_connection("1", 2);
    CHECK(connection.starts_with("\0\0\0"s + static_cast<char>(connection.size() - 4) + "\xff"));
}

TEST_CASE("what is encoded can be cut out and decoded, in both")
{
    for (const auto serialization : {Serialization::json, Serialization::advanced}) {
        const NodeCodec codec{serialization};
        NodeFrames frames{serialization};
        const auto bytes = codec.encode(R"({"cmd":"NODE_HANDLE_ACK"})") + codec.encode(R"("hi")") +
                           codec.encode_connection("1", 2);
        std::string_view rest{bytes};
        const auto next = [&] { return codec.decode(frames.next(rest).value()); };
        CHECK(std::holds_alternative<node::HandleAck>(next()));
        CHECK(std::get<node::UserMessage>(next()).text == "\"hi\"");
        CHECK(std::get<node::Malformed>(next()).reason == node::hands_out_reason);
        CHECK(rest.empty());
    }
}

TEST_SUITE_END();

} // namespace usher::node_codec_test
