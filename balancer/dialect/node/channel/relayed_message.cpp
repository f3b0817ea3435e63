// SPDX-License-Identifier: MIT
#include "balancer/dialect/node/channel/relayed_message.hpp"

#include "balancer/dialect/node/channel/lone_surrogates.hpp"
#include "balancer/dialect/node/channel/node_codec.hpp"
#include "balancer/dialect/node/channel/node_frames.hpp"
#include "balancer/dialect/node/channel/node_message.hpp"
#include "balancer/dialect/node/channel/v8_reader.hpp"
#include "common/wire/json_depth.hpp"

#include <utility>

namespace usher {

RelayedMessage::RelayedMessage(Serialization serialization, std::string_view payload)
    : own_{serialization},
      bytes_{std::make_shared<const std::string>(node::frame(serialization, payload))}
{
}

const RelayedMessage::Bytes& RelayedMessage::as(Serialization serialization)
{
    if (serialization == own_)
        return bytes_;
    if (!std::exchange(is_translated_, true))
        other_ = translated();
    return other_;
}

RelayedMessage::Bytes RelayedMessage::translated() const
{
    NodeFrames frames{own_};
    std::string_view rest{*bytes_};
    const auto payload = frames.next(rest).value_or("");
    std::string result;
    if (own_ == Serialization::json) {
        // What is nested deeply takes time by its depth as well.
        if (payload.size() > node::longest_internal ||
            wire::json_depth(payload) > node::v8::deepest)
            return nullptr;
        result = node::encode(Serialization::advanced, node::replace_lone_surrogates(payload));
    } else {
        std::string json;
        const auto value = node::v8::value_in(payload);
        if (!value ||
            node::v8::to_json(*value, json, node::longest_internal) != node::v8::Result::done)
            return nullptr;
        result = node::encode(Serialization::json, std::move(json));
    }
    return std::make_shared<const std::string>(std::move(result));
}

} // namespace usher
