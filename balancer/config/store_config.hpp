// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

namespace usher {

/// The state that the workers of a pool share.
struct StoreConfig {
    std::uint64_t max_keys = 100'000;
    std::uint64_t max_bytes = 64ULL * 1024 * 1024;    ///< of all keys and values
    std::uint64_t worker_bytes = 16ULL * 1024 * 1024; ///< of what one slot has written last
    std::string persist; ///< a file that survives the master; empty: none

    friend bool operator==(const StoreConfig&, const StoreConfig&) = default;
};

} // namespace usher
