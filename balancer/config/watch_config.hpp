// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace usher {

/// Which files' changes bring new workers.
struct WatchConfig {
    std::vector<std::string> paths;       ///< of files and folders; none: nothing is watched
    std::vector<std::string> ignore;      ///< shell patterns, besides those that are always ignored
    std::chrono::milliseconds delay{200}; ///< after the last change

    friend bool operator==(const WatchConfig&, const WatchConfig&) = default;
};

} // namespace usher
