// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/command/control_client.hpp"
#include "balancer/config/resolved_config.hpp"

#include <functional>
#include <string>
#include <variant>

namespace usher {

/// `usher run`, with a configuration that has passed validate().
struct RunCommand {
    ResolvedConfig config;

    /// Makes the configuration anew, from the same command line and what its file says by then.
    /// Throws ConfigError, or UsageError if flags and file no longer go together.
    std::function<ResolvedConfig()> reload;

    std::string control; ///< path of the control socket; empty: the default one
};

/// `usher check`, `--help` or `--version`: print the text, exit with 0.
struct PrintCommand {
    std::string text;
};

using Command = std::variant<RunCommand, ControlCommand, PrintCommand>;

} // namespace usher
