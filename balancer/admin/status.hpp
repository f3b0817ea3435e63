// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/events/event_bus.hpp"
#include "balancer/output/outputs.hpp"
#include "balancer/pool/pool.hpp"
#include "balancer/pool/reloader.hpp"

#include <memory>
#include <string>
#include <vector>

namespace usher {

/// The state of the master as one line of JSON: what `usher status --json` prints.
///
/// `ready` is what a load balancer wants to know: every pool has a worker that serves, and nobody
/// has told the master to stop.
[[nodiscard]] std::string describe(const std::vector<std::shared_ptr<Pool>>& pools,
                                   const EventBus& events, const Outputs& outputs,
                                   const Reloader& reloader, bool stopping);

} // namespace usher
