// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/command/command.hpp"

#include <optional>

namespace CLI {
class App;
} // namespace CLI

namespace usher {

/// `usher completion`, which describes all that `app` has; parsing sets `result`.
void add_completion(CLI::App& app, std::optional<Command>& result);

} // namespace usher
