// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/config.hpp"
#include "balancer/events/event_bus.hpp"
#include "balancer/listen/inherited_sockets.hpp"

#include <vector>

namespace usher::systemd {

/// The sockets that a service manager has passed, for `listeners`, those of all pools; what is
/// wrong with them and can be lived with is published.
///
/// Throws std::runtime_error if one of them cannot be listened on, or if the variables that
/// announce them make no sense.
[[nodiscard]] InheritedSockets take_sockets(const std::vector<ListenConfig>& listeners,
                                            EventBus& events);

/// Warns if a service manager waits for word from a build that cannot give it.
void warn_without_libsystemd(EventBus& events);

} // namespace usher::systemd
