// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/config.hpp"
#include "balancer/config/json/json_value.hpp"

namespace usher {

/// Decodes one element of "pools".  What is not there keeps its default; command and listeners
/// may be missing.  Throws ConfigError.
[[nodiscard]] PoolConfig decode_pool(const JsonValue& value);

} // namespace usher
