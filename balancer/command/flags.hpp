// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/command/options.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace usher {

/// What stood on the command line, taken apart and not yet looked at.
struct Flags {
    std::vector<std::string> config;
    std::vector<std::string> listen;
    std::vector<std::string> dialect;
    std::vector<std::string> workers;
    std::vector<std::string> backlog;
    std::vector<std::string> control;
    std::vector<std::string> command; ///< behind `--`
    std::vector<std::string> pool;
    std::vector<std::string> worker;
    std::string subject; ///< of `restart` (a slot or `all`), `scale` (a number), `send` (JSON)
    std::vector<std::string> timeout;
    bool json = false;
    bool follow = false;
    bool now = false;
    bool no_wait = false;
    bool dry_run = false;
    bool has_command = false; ///< there was a `--`
    std::string of_pool;      ///< the first flag that belongs to a pool; empty if there is none
    bool dump = false;
};

/// Makes the configuration of `usher run` from flags, a file or both.
/// Throws UsageError and ConfigError.
[[nodiscard]] RunCommand make_run_command(const Flags& flags);

/// Reads and validates the file of `usher check`.  Throws UsageError and ConfigError.
[[nodiscard]] CheckCommand make_check_command(const Flags& flags);

/// Makes what the command `name` asks of a running master.  Throws UsageError.
[[nodiscard]] ControlCommand make_control_command(std::string_view name, const Flags& flags);

} // namespace usher
