// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

namespace usher {

/// Who speaks on the bus; known by the socket, whatever is said on it.
struct BusIdentity {
    std::string pool{};       ///< of a worker
    unsigned slot = 0;        ///< 0: from outside
    std::uint64_t worker = 0; ///< never used twice
    unsigned generation = 0;

    /// How others see it: `web/2`, or `usher` from outside.
    [[nodiscard]] std::string name() const
    {
        return slot == 0 ? "usher" : pool + '/' + std::to_string(slot);
    }
};

} // namespace usher
