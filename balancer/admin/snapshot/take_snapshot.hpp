// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/admin/snapshot/master_snapshot.hpp"
#include "balancer/events/event_bus.hpp"
#include "balancer/output/outputs.hpp"
#include "balancer/pool/pool.hpp"
#include "balancer/pool/reloader.hpp"

#include <chrono>
#include <memory>
#include <vector>

namespace usher {

/// What there is now, but for what the processes use: see UsageMeter.  Asks the kernel only how
/// many wait in backlogs.
[[nodiscard]] MasterSnapshot take_snapshot(const std::vector<std::shared_ptr<Pool>>& pools,
                                           const EventBus& events, const Outputs& outputs,
                                           const Reloader& reloader, bool is_stopping,
                                           std::chrono::steady_clock::time_point started);

} // namespace usher
