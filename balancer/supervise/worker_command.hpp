// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/config.hpp"
#include "balancer/supervise/child_process.hpp"
#include "balancer/supervise/worker_process.hpp"
#include "common/sys/socket_address.hpp"

#include <vector>

namespace usher {

/// The descriptors a worker is given, in the order of their numbers.
struct WorkerDescriptors {
    int handoff = -1;
    int control = -1;
    int scoreboard = -1;
    int node = -1;   ///< of a Node worker: its channel, in place of these
    int output = -1; ///< -1: the master's own
    int errors = -1;

    std::vector<int> queues{};                   ///< of a preload worker, in place of `handoff`
    std::vector<sys::SocketAddress> listeners{}; ///< of its pool
};

/// How the worker `identity` of a pool is started: the pool's command, our environment (or only
/// PATH) with the pool's `env` and the USHER_ variables of the worker protocol, and what it runs
/// as.  For dialect preload, with the shim and its variables; for dialect node, with Node's.
///
/// Throws SpawnError, or std::runtime_error, if the shim cannot be loaded into the program.
[[nodiscard]] ChildProcess::Command make_worker_command(const PoolConfig& config,
                                                        const WorkerIdentity& identity,
                                                        WorkerDescriptors descriptors);

} // namespace usher
