// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/command/command.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
} // namespace CLI

namespace usher {

/// What stood behind `usher run`, not yet looked at; empty: not given.
struct RunFlags {
    std::string config;
    std::string control;
    std::string log_format;
    std::vector<std::string> listen;
    std::vector<std::string> env; ///< NAME=VALUE
    std::vector<std::string> env_files;
    std::vector<std::string> watch;
    std::map<std::string, std::string> keys;         ///< of a pool that have one word
    std::optional<std::vector<std::string>> command; ///< behind `--`
};

/// `usher run`: parsing fills `flags`, and then sets `result`.
void add_run(CLI::App& app, RunFlags& flags, std::optional<Command>& result);

} // namespace usher
