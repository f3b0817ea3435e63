// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/node_config.hpp"
#include "balancer/dialect/node/channel/node_message.hpp"

#include <string>
#include <string_view>

/// What messages look like on the channel to a worker, as its serialization has it.
namespace usher::node {

/// Reads one message, as NodeFrames cuts it out.
[[nodiscard]] Message decode(NodeConfig::Serialization serialization, std::string_view message);

/// `json`, valid and on one line, as it goes over the channel.
[[nodiscard]] std::string encode(NodeConfig::Serialization serialization, std::string json);

/// `payload`, a message as NodeFrames cuts it out, as it goes over the channel.
[[nodiscard]] std::string frame(NodeConfig::Serialization serialization, std::string_view payload);

} // namespace usher::node
