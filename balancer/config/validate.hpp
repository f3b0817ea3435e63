// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/config.hpp"

#include <string_view>

namespace usher {

/// Checks what must hold before anything is started: every pool has a name of its own, a command
/// and a listener, and no address is listened on twice.  `origin` names the file in errors.  Throws
/// ConfigError.
void validate(const Config& config, std::string_view origin);

} // namespace usher
