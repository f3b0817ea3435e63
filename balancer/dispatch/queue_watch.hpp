// SPDX-License-Identifier: MIT
#pragma once

#include "common/async/back_off.hpp"

#include <chrono>
#include <cstdint>
#include <optional>

namespace usher {

/// Decides of one worker whether connections wait in vain in its queue, because it is busy, and
/// whether it may be given those that wait behind another.
///
/// Who has not taken any yet is starting, not busy: it has longer, so that strict turns hold from
/// the first connection on.  Nobody knows yet whether it takes any, as of one that was passed over.
///
/// Holds no clock: it is shown the queue at intervals.
class QueueWatch {
public:
    using Clock = std::chrono::steady_clock;

    /// One that is starting has so many times `move_after`.
    static constexpr int starting_times = 10;

    /// So many wait now, so many it has taken in all.
    void look(Clock::time_point now, std::uint64_t queued, std::uint64_t taken) noexcept;

    /// Something has waited for `move_after`, since it was first seen, and none was taken
    /// meanwhile.  0: never.
    [[nodiscard]] bool is_overdue(Clock::time_point now,
                                  std::chrono::milliseconds move_after) const noexcept;

    /// What waited went to others, as many as there were.
    void on_moved() noexcept;

    /// What waited went to others, and it has taken none since, as far as its page now says.
    [[nodiscard]] bool is_passed_over(std::uint64_t taken) const noexcept
    {
        return passed_over_ && taken == taken_;
    }

    /// It may be given one in its turn, as of the last look, though it was passed over: each time
    /// that was in vain, the next is later, since it costs a client `move_after`.
    [[nodiscard]] bool has_turn() const noexcept
    {
        return !passed_over_ || looked_at_ >= next_turn_;
    }

    /// It has not taken any yet.
    [[nodiscard]] bool is_starting() const noexcept { return taken_ == 0; }

    /// Nothing waited at the last look.
    [[nodiscard]] bool is_empty() const noexcept { return queued_ == 0; }

    /// It takes what it is given, and nothing waited.
    [[nodiscard]] bool is_idle() const noexcept
    {
        return is_empty() && !is_starting() && !passed_over_;
    }

    /// It is new, and nothing waited.
    [[nodiscard]] bool is_untried() const noexcept { return is_empty() && is_starting(); }

    /// Its queue was emptied by us: perhaps it can take again.
    [[nodiscard]] bool is_worth_a_try() const noexcept { return is_empty() && passed_over_; }

private:
    std::optional<Clock::time_point> waiting_since_;
    std::uint64_t queued_ = 0;
    std::uint64_t taken_ = 0;
    bool passed_over_ = false;
    BackOff pause_{std::chrono::milliseconds{100}, std::chrono::milliseconds{1'000}};
    Clock::time_point looked_at_{};
    Clock::time_point next_turn_{};
};

} // namespace usher
