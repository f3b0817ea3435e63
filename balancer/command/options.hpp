// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/command/control_client.hpp"
#include "balancer/config/resolved_config.hpp"

#include <functional>
#include <span>
#include <stdexcept>
#include <string>
#include <variant>

namespace usher {

/// A command line that cannot be used: one sentence with the remedy.  The process exits with 2.
class UsageError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

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

/// Reads the command line without the program's name, and the configuration file it names.
/// Everything behind the first `--` is the worker's command, verbatim.
///
/// Throws UsageError, or ConfigError if the file is at fault.
[[nodiscard]] Command parse_options(std::span<const char* const> arguments);

} // namespace usher
