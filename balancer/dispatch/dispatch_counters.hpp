// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace usher {

/// What became of a pool's connections since it was made.
struct DispatchCounters {
    std::uint64_t handed_off = 0;
    std::uint64_t reclaimed = 0;
    std::uint64_t moved = 0;             ///< from behind busy workers to others
    std::uint64_t closed_as_suspect = 0; ///< reclaimed twice, then closed
};

} // namespace usher
