// SPDX-License-Identifier: MIT
//
// Whatever a Node worker sends in JSON, it is cut into the same messages in whatever pieces it
// comes, each of which gives one, and what is answered to it is JSON.
#include "balancer/dialect/node/channel/node_codec.hpp"
#include "balancer/dialect/node/channel/node_frames.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <nlohmann/json.hpp>

#include <optional>
#include <string>
#include <variant>
#include <vector>

using namespace usher;
using namespace usher::fuzz;

namespace {

void require_json(const std::string& text)
{
    require(is_one_line(text));
    require(nlohmann::json::accept(text));
}

void check(const auto& /*message*/) {}

void check(const node::Malformed& message)
{
    require(!message.reason.empty() && is_one_line(message.reason));
}

void check(const node::UserMessage& message)
{
    require(message.text.size() < node::UserMessage::most_shown + 64);
}

void check(const node::Handle& message)
{
    check(message.message);
}

void check(const node::QueryServer& query)
{
    const auto& request = query.request;
    require(is_one_line(request.fault));
    if (!request.fault.empty())
        return;
    require(request.port >= -1 && request.port <= 65'535 && request.fd >= -1);
    require_json(node::encode_answer(request.seq, request.identity(), 0, request.data));
    require_json(node::encode_with_handle(node::encode_answer(request.seq, "1", 0, request.data)));
}

void check(const node::SocketQuestion& question)
{
    require_json(question.answer);
}

std::vector<std::string> cut(std::string_view text, std::size_t step)
{
    std::vector<std::string> messages;
    NodeFrames frames{NodeConfig::Serialization::json};
    for (std::size_t at = 0; at < text.size(); at += step) {
        auto piece = text.substr(at, step);
        while (const auto message = frames.next(piece))
            messages.emplace_back(*message);
    }
    return messages;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    // The first byte says in how large pieces the rest comes.
    if (size == 0)
        return 0;
    const auto text = text_of(data, size).substr(1);
    const auto messages = cut(text, data[0] + 1U);
    require(messages == cut(text, size));

    constexpr auto json = NodeConfig::Serialization::json;
    for (const auto& message : messages)
        std::visit([](const auto& m) { check(m); }, node::decode(json, message));
    return 0;
}
