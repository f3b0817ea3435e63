// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/events/event_bus.hpp"
#include "balancer/supervise/pool.hpp"

#include <memory>
#include <string>
#include <vector>

namespace usher {

/// The state of the master as one line of JSON: what `usher status --json` prints.
[[nodiscard]] std::string describe(const std::vector<std::unique_ptr<Pool>>& pools,
                                   const EventBus& events);

} // namespace usher
