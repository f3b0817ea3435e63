// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/watch/ignore_rules.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace usher {

/// Folders to be watched, and what watching them came to.
struct FolderWalk {
    /// So many folders are watched for a pool; more are hardly meant.
    static constexpr std::size_t most_folders = 65'536;

    struct Watch {
        int number;
        std::string folder;
        std::string name{}; ///< for this alone; empty: for all
    };

    std::vector<Watch> watches{};
    bool has_files = false;              ///< some that are not ignored
    std::vector<std::string> problems{}; ///< each a sentence without its end

    /// Watches the folder that `path` is in for its name.  May wait for a disk.
    void watch_name(int inotify, const std::string& path);

    /// Watches `top` and all folders below it, but for those that `rules` ignore; `room` of them
    /// at most.  May wait for a disk.
    void watch_all(int inotify, const std::string& top, const IgnoreRules& rules, std::size_t room);
};

} // namespace usher
