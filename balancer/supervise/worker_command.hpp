// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/config.hpp"
#include "balancer/supervise/child_process.hpp"
#include "balancer/supervise/worker_process.hpp"

namespace usher {

/// The descriptors a worker is given, in the order of their numbers.
struct WorkerDescriptors {
    int handoff;
    int control;
    int scoreboard;
    int output = -1; ///< -1: the master's own
    int errors = -1;
};

/// How the worker `identity` of a pool is started: the pool's command, our environment (or only
/// PATH) with the pool's `env` and the USHER_ variables of the worker protocol, and what it runs
/// as.
[[nodiscard]] ChildProcess::Command make_worker_command(const PoolConfig& config,
                                                        const WorkerIdentity& identity,
                                                        WorkerDescriptors descriptors);

} // namespace usher
