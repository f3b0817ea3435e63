// SPDX-License-Identifier: MIT
#include "balancer/dialect/node/channel/node_codec.hpp"

#include "balancer/dialect/node/channel/v8_reader.hpp"
#include "balancer/dialect/node/channel/v8_writer.hpp"

#include <utility>

namespace usher {

namespace {

node::Message decode_advanced(std::string_view payload)
{
    using node::v8::Result;
    const auto value = node::v8::value_in(payload);
    if (!value)
        return node::Malformed{"it does not begin as V8 begins"};

    // Programs may send much, and none of it concerns us.  Node's own begins with the command.
    std::string json;
    const bool is_long = payload.size() > node::longest_internal;
    auto result = node::v8::to_json(value->substr(0, node::longest_internal), json,
                                    node::UserMessage::most_shown);
    const bool is_handle = json.starts_with(R"({"cmd":"NODE_HANDLE")");
    const bool is_plain = !is_handle && json.starts_with(R"({"cmd":"NODE_)") &&
                          !json.starts_with(R"({"cmd":"NODE_")");
    if (is_plain && is_long)
        return node::too_long_internal();
    if (is_plain && result == Result::too_long) {
        json.clear();
        result = node::v8::to_json(*value, json, node::longest_internal);
        if (result == Result::too_long)
            return node::too_long_internal();
    }
    if (result == Result::done)
        return node::decode(json);
    if (is_plain || (result == Result::malformed && !is_long))
        return node::Malformed{"it is not what V8 writes"};
    node::UserMessage shown{result == Result::not_plain ? node::size_note(payload.size())
                                                        : node::cut_short(json, payload.size())};
    return is_handle ? node::Message{node::Handle{std::move(shown)}} : std::move(shown);
}

} // namespace

node::Message NodeCodec::decode(std::string_view message) const
{
    return is_json() ? node::decode(message) : decode_advanced(message);
}

std::string NodeCodec::encode(std::string json) const
{
    if (is_json())
        return std::move(json) + '\n';
    // In one piece: Node before 20 loses the thread if a length comes in two.
    const auto payload = node::v8_of_json(json);
    const auto size = payload.size();
    return std::string{static_cast<char>(size >> 24), static_cast<char>(size >> 16),
                       static_cast<char>(size >> 8), static_cast<char>(size)} +
           payload;
}

} // namespace usher
