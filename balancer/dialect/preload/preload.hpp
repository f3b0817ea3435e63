// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/resolved_config.hpp"
#include "common/sys/socket/socket_address.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

/// Workers that know nothing of us: programs that listen on a port of their own, with
/// libusher-preload.so loaded into them.
namespace usher {

/// Which queue the connections of each listener go to, in the listeners' order.
///
/// The program has one listening socket for each port or path, and each needs a queue of its own:
/// whoever waits on one socket must not be woken for what another one is for.
///
/// Throws std::runtime_error if there are more than the shim can tell apart.
[[nodiscard]] std::vector<std::uint8_t>
assign_queues(const std::vector<sys::SocketAddress>& listeners);

/// Adds to `environment` what the shim needs, and the shim.  `descriptors` are those of the queues,
/// the control socket and the scoreboard, which get numbers from `first_number` on.
///
/// Throws std::runtime_error if there is none, or if it cannot be loaded into the pool's program.
void add_preload(std::map<std::string, std::string>& environment, const ResolvedPool& config,
                 const std::vector<sys::SocketAddress>& listeners,
                 const std::vector<int>& descriptors, int first_number);

/// Why a worker that has said nothing of being ready is not: one clause.  `progress` is what its
/// page says, ScoreboardPage::preload.
[[nodiscard]] std::string explain_missing(const std::vector<sys::SocketAddress>& listeners,
                                          std::uint64_t progress);

} // namespace usher
