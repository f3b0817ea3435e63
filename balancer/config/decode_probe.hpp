// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/config.hpp"
#include "balancer/config/json/json_value.hpp"

namespace usher {

/// Reads `probe`: an object with a path.  Throws ConfigError.
[[nodiscard]] ProbeConfig decode_probe(const JsonValue& value);

} // namespace usher
