// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/json/json_value.hpp"
#include "balancer/config/node_config.hpp"

namespace usher {

/// Reads the value of a pool's `node`.  Throws ConfigError.
[[nodiscard]] NodeConfig decode_node(const JsonValue& value);

} // namespace usher
