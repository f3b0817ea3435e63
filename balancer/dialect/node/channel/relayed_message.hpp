// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/node_config.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace usher {

/// What a worker's program has sent, as it goes on to others: the same bytes for all of them.
class RelayedMessage {
public:
    using Serialization = NodeConfig::Serialization;
    using Bytes = std::shared_ptr<const std::string>;

    /// `payload` as NodeFrames cuts it out.
    RelayedMessage(Serialization serialization, std::string_view payload);

    /// What a worker gets that reads `serialization`: as it came, or while a reload changes that,
    /// written anew.  Null if it is too long for that, or no plain data.
    [[nodiscard]] const Bytes& as(Serialization serialization);

private:
    [[nodiscard]] Bytes translated() const;

    Serialization own_; ///< what it came in
    Bytes bytes_;
    Bytes other_;
    bool is_translated_ = false;
};

} // namespace usher
