// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/node_config.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace usher {

/// Cuts the bytes that come over a channel into messages: in JSON a line each, in V8's format each
/// with four bytes before it that say how long it is.
class NodeFrames {
public:
    /// No message is longer, in either direction.
    static constexpr std::size_t longest = 16UL * 1024 * 1024;

    explicit NodeFrames(NodeConfig::Serialization serialization) noexcept
        : serialization_{serialization}
    {
    }

    /// Takes the next message off `bytes`, without what marks its end or length; it is good until
    /// the next call.  Nothing if `bytes` has only its beginning, which is kept, or if
    /// is_too_long().
    [[nodiscard]] std::optional<std::string_view> next(std::string_view& bytes);

    /// True if what has come of a message is longer than any may be.
    [[nodiscard]] bool is_too_long() const noexcept { return too_long_; }

    /// True if a message has begun to come.
    [[nodiscard]] bool is_in_message() const noexcept { return !partial_.empty(); }

private:
    [[nodiscard]] bool is_line() const noexcept
    {
        return serialization_ == NodeConfig::Serialization::json;
    }
    [[nodiscard]] std::size_t missing(std::string_view bytes) const noexcept;

    NodeConfig::Serialization serialization_;
    std::string partial_; ///< the beginning of a message
    std::string whole_;   ///< the last one, if it came in pieces
    bool too_long_ = false;
};

} // namespace usher
