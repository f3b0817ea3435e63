// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/config.hpp"
#include "balancer/config/json/json_value.hpp"

#include <vector>

namespace usher {

/// Decodes "listen": one address, one object with "address", or an array of them.
/// Throws ConfigError.
[[nodiscard]] std::vector<ListenConfig> decode_listen(const JsonValue& value);

} // namespace usher
