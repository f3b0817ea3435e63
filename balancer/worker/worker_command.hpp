// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/resolved_config.hpp"
#include "balancer/dialect/worker_identity.hpp"
#include "balancer/dialect/worker_link.hpp"
#include "balancer/process/child_process.hpp"

#include <string>

namespace usher {

/// How the worker `identity` of a pool is started: the pool's command, our environment (or only
/// PATH) with the pool's `env`, the USHER_ variables and what `link` gives it, and what it runs as.
/// `notify_socket` is NOTIFY_SOCKET, sd_notify(3); empty: it has none.  `bus` is its end of the
/// bus, which stays the caller's; -1: none.
///
/// Throws std::runtime_error if it cannot be given what its dialect wants.
[[nodiscard]] ChildProcess::Command
make_worker_command(const ResolvedPool& config, const WorkerIdentity& identity,
                    const WorkerLink& link, const std::string& notify_socket = {}, int bus = -1);

/// What starts `words`, which are to be told what has happened to a worker in `slot`: as that runs,
/// but with nothing to speak to the master.
[[nodiscard]] ChildProcess::Command make_hook_command(const ResolvedPool& config, unsigned slot,
                                                      const std::vector<std::string>& words);

} // namespace usher
