// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/admin/request.hpp"
#include "balancer/command/bus_question.hpp"
#include "balancer/command/exit_code.hpp"
#include "balancer/command/standard_output.hpp"

#include <chrono>
#include <optional>
#include <string>

namespace usher {

/// What a command asks of a running master.
struct ControlCommand {
    Request request;
    std::string path;  ///< of the control socket; empty: the default one
    bool json = false; ///< print what the master sends as it is

    std::optional<BusQuestion> question{}; ///< if the request is `bus`

    bool watches = false; ///< if the request is `status`: it is asked for every second

    /// How long all of it may take; nothing: as long as it takes.
    std::optional<std::chrono::milliseconds> timeout{};
};

/// Asks, shows progress and result in `output`, and returns what the shell is to be told:
/// not_running if no master listens there, timed_out if it has not answered in time.  `stop`
/// returns when the master has gone.
[[nodiscard]] ExitCode ask_master(const ControlCommand& command, StandardOutput& output);

} // namespace usher
