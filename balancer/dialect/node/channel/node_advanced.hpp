// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/dialect/node/channel/node_message.hpp"

#include <cstdint>
#include <string>
#include <string_view>

/// The messages of node_message.hpp in the format of V8's serializer, which Node calls advanced.
namespace usher::node {

/// Reads one message.  Never throws for what is in it: that is Malformed.
[[nodiscard]] Message decode_advanced(std::string_view payload);

/// The same value as `json`, which is valid and has no key twice in an object.
[[nodiscard]] std::string to_advanced(std::string_view json);

/// What encode_connection() says.
[[nodiscard]] std::string encode_advanced_connection(std::string_view key, std::uint64_t seq);

} // namespace usher::node
