// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

namespace usher::worker {

/// Who this worker is under its master.
struct Identity {
    std::string pool;
    unsigned slot = 0;       ///< from 1; its place in the pool, kept by its successor
    std::uint64_t id = 0;    ///< never used twice while the master lives
    unsigned generation = 0; ///< from 1; grows with each reload
};

} // namespace usher::worker
