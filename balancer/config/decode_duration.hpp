// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/json_value.hpp"

#include <chrono>

namespace usher {

/// Reads a duration, which may be 0.  Throws ConfigError.
[[nodiscard]] std::chrono::milliseconds decode_duration(const JsonValue& value);

} // namespace usher
