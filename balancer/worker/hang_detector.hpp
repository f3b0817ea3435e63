// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/dispatch/figures.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace usher {

/// Decides whether a ready worker hangs: it has connections queued and takes none, or its event
/// loop has stopped stamping the heartbeat, for `stall_timeout`.
///
/// Where idle workers get what waits for it, no client is harmed as long as it may only be busy
/// with a long request: then it hangs after `patience` times as long.  What goes from one busy
/// worker to the next has helped nobody.
///
/// Holds no clock: it is shown the facts at intervals.
class HangDetector {
public:
    using Clock = std::chrono::steady_clock;

    /// The library stamps once a second, so silence means nothing before this.
    static constexpr std::chrono::milliseconds shortest_heartbeat_limit{3'000};

    static constexpr int patience = 3;

    /// A busy worker is offered one more seldom than once a second only if few clients come.
    static constexpr std::chrono::milliseconds longest_gap{3'000};

    struct Facts {
        Clock::time_point now;
        std::chrono::milliseconds stall_timeout; ///< 0: never hangs
        /// How long it may go without a heartbeat, if it was told so at its start.
        std::chrono::milliseconds promised{0};
        Figures figures{};
    };

    /// Why the worker hangs: one clause; empty if it does not.
    [[nodiscard]] std::string look(const Facts& facts);

    /// Begins anew: what did not happen until `now` does not count.
    void forgive(Clock::time_point now) noexcept;

private:
    Clock::time_point waiting_since_{};           ///< the same connections
    Clock::time_point offered_at_{};              ///< when last something waited, or went to others
    std::optional<Clock::time_point> idle_since_; ///< again and again offered some, it took none
    Clock::time_point forgiven_at_{};
    std::uint64_t last_taken_ = 0;
    std::uint64_t last_moved_ = 0;
    std::uint64_t last_relieved_ = 0;
    bool was_relieved_ = false; ///< since `idle_since_`
};

} // namespace usher
