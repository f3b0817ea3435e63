// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

namespace usher {

/// How the workers of a pool talk to each other.
struct BusConfig {
    std::string share; ///< pools with the same name share one bus and store; empty: its own
    std::uint64_t max_messages = 10'000;          ///< that wait for one worker which does not read
    std::uint64_t max_bytes = 4ULL * 1024 * 1024; ///< likewise

    friend bool operator==(const BusConfig&, const BusConfig&) = default;
};

} // namespace usher
