// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/json/json_value.hpp"
#include "balancer/config/run_as_config.hpp"

#include <vector>

namespace usher {

/// The members of a pool that say what its workers run as; they store into `run_as`.
[[nodiscard]] std::vector<JsonValue::Member> run_as_members(RunAsConfig& run_as);

} // namespace usher
