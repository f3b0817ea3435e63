// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/account_ids.hpp"
#include "balancer/config/config.hpp"

#include <chrono>
#include <map>
#include <string>
#include <vector>

namespace usher {

/// A pool whose accounts, number of workers, folders and files of variables were looked up, see
/// resolve_accounts().
struct ResolvedPool : PoolConfig {
    AccountIds account;
    std::map<std::string, std::string> file_env{}; ///< what its `env_files` say
    std::string folder{};                          ///< what `cwd` names, see LaunchFolder::pin()
    std::string program_folder{};                  ///< see pin_program()

    friend bool operator==(const ResolvedPool&, const ResolvedPool&) = default;
};

/// A Config of such pools: what a master runs.
struct ResolvedConfig {
    std::vector<ResolvedPool> pools;
    log::Level log_level = log::Level::info;
    std::chrono::milliseconds lame_duck{0};
};

} // namespace usher
