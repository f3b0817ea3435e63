// SPDX-License-Identifier: MIT
//
// Whatever a Node worker sends in V8's format, it is cut into messages and each gives one; what is
// plain is the same value when it is written and read again.
#include "balancer/dialect/node/channel/node_codec.hpp"
#include "balancer/dialect/node/channel/node_frames.hpp"
#include "balancer/dialect/node/channel/v8_reader.hpp"
#include "balancer/dialect/node/channel/v8_writer.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <algorithm>
#include <string>
#include <variant>

using namespace usher;
using namespace usher::fuzz;

namespace {

/// The payload as JSON; empty if it is not plain.
std::string json_of(std::string_view payload)
{
    const auto value = node::v8::value_in(payload);
    std::string json;
    if (value && node::v8::to_json(*value, json, payload.size() * 8) == node::v8::Result::done)
        return json;
    return {};
}

void check(std::string_view payload)
{
    const auto message = node::decode(NodeConfig::Serialization::advanced, payload);
    if (const auto* const bad = std::get_if<node::Malformed>(&message))
        require(!bad->reason.empty());
    if (const auto* const user = std::get_if<node::UserMessage>(&message))
        require(user->text.size() < node::UserMessage::most_shown + 64);

    // In what V8 writes no key is there twice, but here it may be; and our way to write what is
    // more than ASCII, also where JSON has it as \u0080 to \u009f, is none of V8's.
    const auto json = json_of(payload);
    const auto is_other = [](char c) { return c == '{' || static_cast<unsigned char>(c) >= 0x80; };
    const bool is_ascii =
        json.find("\\u008") == std::string::npos && json.find("\\u009") == std::string::npos;
    const auto written = json.empty() ? "" : node::v8_of_json(json);
    if (is_ascii && std::ranges::none_of(json, is_other))
        require(json_of(written) == json);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const auto all = text_of(data, size);
    check(all);

    // The first byte says in how large pieces the rest comes.
    NodeFrames frames{NodeConfig::Serialization::advanced};
    const std::size_t step = all.empty() ? 1 : static_cast<unsigned char>(all.front()) + 1U;
    for (std::size_t at = 1; at < all.size(); at += step) {
        auto piece = all.substr(at, step);
        while (const auto message = frames.next(piece))
            check(*message);
    }
    return 0;
}
