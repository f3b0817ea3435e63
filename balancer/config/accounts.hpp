// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/launch_folder.hpp"
#include "balancer/config/resolved_config.hpp"

#include <string_view>

namespace usher {

/// Looks up what every pool's `user`, `group` and `groups` stand for: once for each configuration
/// and not at every start of a worker, because the databases may be on the network, and the master
/// serves nobody while it waits.
///
/// Also reads the `env_files`, and finds out which folders the workers start in, seen from
/// `launched`, for the same reason.
///
/// With `to_run`, also checks that this process may become what the pools ask for, and forgets of
/// it what it is already; and `workers: auto` becomes the number that means here and now.
///
/// Throws ConfigError for what is not there or not allowed.  `origin` names the file in errors.
[[nodiscard]] ResolvedConfig resolve_accounts(Config config, std::string_view origin, bool to_run,
                                              const LaunchFolder& launched = LaunchFolder{});

} // namespace usher
