// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/node_config.hpp"
#include "balancer/dialect/node/channel/node_message.hpp"

#include <string>
#include <string_view>

namespace usher {

/// What messages look like on the channel to a worker, as its serialization has it.
class NodeCodec {
public:
    explicit NodeCodec(NodeConfig::Serialization serialization) noexcept
        : serialization_{serialization}
    {
    }

    [[nodiscard]] NodeConfig::Serialization serialization() const noexcept
    {
        return serialization_;
    }

    /// Reads one message, as NodeFrames cuts it out.
    [[nodiscard]] node::Message decode(std::string_view message) const;

    /// `json`, valid and on one line, as it goes over the channel.
    [[nodiscard]] std::string encode(std::string json) const;

private:
    [[nodiscard]] bool is_json() const noexcept
    {
        return serialization_ == NodeConfig::Serialization::json;
    }

    NodeConfig::Serialization serialization_;
};

} // namespace usher
