// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/config.hpp"

#include <string_view>

namespace usher {

/// Looks up what every pool's `user`, `group` and `groups` stand for: once for each configuration
/// and not at every start of a worker, because the databases may be on the network, and the master
/// serves nobody while it waits.
///
/// Throws ConfigError for what is not there.  `origin` names the file in errors.
void resolve_accounts(Config& config, std::string_view origin);

/// Checks that this process may become what the pools ask for; forgets of it what it is already.
/// Throws ConfigError.
void require_privileges(Config& config, std::string_view origin);

} // namespace usher
