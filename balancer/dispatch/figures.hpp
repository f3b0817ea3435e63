// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace usher {

/// What is known of the connections of one worker.
struct Figures {
    std::uint64_t handed_off = 0;
    std::uint64_t queued = 0;          ///< of those, not taken by its application
    std::uint64_t taken = 0;           ///< by its application, probes included
    std::uint64_t moved = 0;           ///< taken back from its queue for others; in no other figure
    std::uint64_t relieved = 0;        ///< of those, given to workers that were idle
    std::optional<std::uint64_t> load; ///< as it measures it itself
    std::optional<std::uint64_t> open; ///< taken and not closed; nothing: nobody can count that

    /// When its event loop last showed a sign of life; the epoch if it never does.
    std::chrono::steady_clock::time_point heartbeat{};
};

} // namespace usher
