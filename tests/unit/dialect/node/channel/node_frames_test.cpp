// SPDX-License-Identifier: MIT
#include "balancer/dialect/node/channel/node_frames.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace usher::node_frames_test {

using namespace std::string_literals;
using Serialization = NodeConfig::Serialization;

namespace {

/// What `frames` cuts out of `bytes`, which come in pieces of `size`.
std::vector<std::string> cut(NodeFrames& frames, std::string_view bytes, std::size_t size)
{
    std::vector<std::string> result;
    while (!bytes.empty()) {
        auto piece = bytes.substr(0, size);
        bytes.remove_prefix(piece.size());
        while (const auto message = frames.next(piece))
            result.emplace_back(*message);
        CHECK((piece.empty() || frames.is_too_long()));
    }
    return result;
}

std::string sized(const std::string& message)
{
    const auto byte = [&](int shift) { return static_cast<char>(message.size() >> shift); };
    return std::string{byte(24), byte(16), byte(8), byte(0)} + message;
}

} // namespace

TEST_SUITE_BEGIN("node_frames");

TEST_CASE("messages are the same however the bytes come")
{
    const std::vector<std::string> messages{"1", "", "{\"a\":2}", std::string(1000, 'x')};
    for (const auto serialization : {Serialization::json, Serialization::advanced}) {
        std::string bytes;
        for (const auto& message : messages)
            bytes += serialization == Serialization::json ? message + "\n" : sized(message);
        for (std::size_t size = 1; size <= bytes.size(); ++size) {
            CAPTURE(size);
            NodeFrames frames{serialization};
            CHECK(cut(frames, bytes, size) == messages);
            CHECK_FALSE(frames.is_in_message());
        }
    }
}

TEST_CASE("the beginning of a message is one, also if it is only a part of its length")
{
    NodeFrames lines{Serialization::json};
    CHECK(cut(lines, "{", 1).empty());
    CHECK(lines.is_in_message());

    NodeFrames sizes{Serialization::advanced};
    CHECK(cut(sizes, "\0\0"s, 1).empty());
    CHECK(sizes.is_in_message());
    CHECK(cut(sizes, "\0\1x"s, 1) == std::vector{"x"s});
    CHECK_FALSE(sizes.is_in_message());
}

TEST_CASE("what is longer than any message is found out before it is kept")
{
    NodeFrames sizes{Serialization::advanced};
    CHECK(cut(sizes, "\xff\xff\xff\xff"s + "xxxx", 3).empty());
    CHECK(sizes.is_too_long());

    NodeFrames lines{Serialization::json};
    CHECK(cut(lines, std::string(NodeFrames::longest, 'x'), 1 << 16).empty());
    CHECK_FALSE(lines.is_too_long());
    CHECK(cut(lines, "x", 1).empty());
    CHECK(lines.is_too_long());
    CHECK(cut(lines, "\n", 1).empty());
}

TEST_SUITE_END();

} // namespace usher::node_frames_test
