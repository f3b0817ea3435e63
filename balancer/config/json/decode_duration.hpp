// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/json/json_value.hpp"

#include <chrono>

namespace usher {

/// Reads a duration such as "30s".  Throws ConfigError.
[[nodiscard]] std::chrono::milliseconds decode_duration(const JsonValue& value);

/// The same, and refuses 0.
[[nodiscard]] std::chrono::milliseconds decode_positive_duration(const JsonValue& value);

} // namespace usher
