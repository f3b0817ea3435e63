// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/config.hpp"
#include "balancer/config/json/json_value.hpp"

namespace usher {

/// Reads `output`: "stderr", "inherit" or an object with a file.  Throws ConfigError.
[[nodiscard]] OutputConfig decode_output(const JsonValue& value);

} // namespace usher
