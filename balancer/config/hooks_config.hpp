// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

namespace usher {

/// Programs, with their arguments, that are told what happens to the workers of a pool; empty:
/// nobody is.
struct HooksConfig {
    std::vector<std::string> exit;    ///< a worker has ended
    std::vector<std::string> failed;  ///< its slot has failed too often
    std::vector<std::string> stalled; ///< it hangs

    friend bool operator==(const HooksConfig&, const HooksConfig&) = default;
};

} // namespace usher
