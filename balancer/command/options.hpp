// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/command/command.hpp"
#include "balancer/command/usage_error.hpp"

#include <span>

namespace usher {

/// Reads the command line without the program's name, and the configuration file it names.
/// Everything behind the first `--` is the worker's command, verbatim.
///
/// Throws UsageError, or ConfigError if the file is at fault.
[[nodiscard]] Command parse_options(std::span<const char* const> arguments);

} // namespace usher
