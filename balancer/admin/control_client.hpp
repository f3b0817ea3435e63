// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/admin/operations.hpp"
#include "balancer/admin/request.hpp"

#include <string>

namespace usher {

/// What a command asks of a running master.
struct ControlCommand {
    Request request;
    std::string path;  ///< of the control socket; empty: the default one
    bool json = false; ///< print what the master sends as it is
};

/// Asks, prints progress and result, and returns what the shell is to be told: not_running if no
/// master listens there.
[[nodiscard]] ExitCode ask_master(const ControlCommand& command);

} // namespace usher
