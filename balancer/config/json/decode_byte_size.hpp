// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/json/json_value.hpp"

#include <cstdint>

namespace usher {

/// Reads a size: a string with its unit, or a number of bytes in `range`.  Throws ConfigError.
[[nodiscard]] std::uint64_t decode_byte_size(const JsonValue& value, Range range);

} // namespace usher
