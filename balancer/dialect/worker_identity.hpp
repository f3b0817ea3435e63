// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

namespace usher {

/// Who a worker is.
struct WorkerIdentity {
    std::string pool;
    unsigned slot = 0;       ///< from 1; stays with the place
    std::uint64_t id = 0;    ///< never used twice while the master lives
    unsigned generation = 0; ///< from 1
    std::string label;       ///< how the log calls the slot: `worker 1` or `worker api/1`
};

} // namespace usher
