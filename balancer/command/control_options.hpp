// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/command/command.hpp"

#include <optional>

namespace CLI {
class App;
} // namespace CLI

namespace usher {

/// The commands that ask a running master for something: parsing fills `asked`, and then sets
/// `result`.
void add_control(CLI::App& app, ControlCommand& asked, std::optional<Command>& result);

} // namespace usher
