// SPDX-License-Identifier: MIT
#pragma once

#include "common/async/back_off.hpp"

#include <algorithm>
#include <chrono>

namespace usher {

/// Decides when to look whether a draining worker that cannot tell us has nothing left to do.
///
/// Holds no clock: it is told when it was looked and what that took.
class DrainWatch {
public:
    using Clock = std::chrono::steady_clock;

    /// A look may read what grows with the machine's connections: where one takes long, the next
    /// waits a hundred times as long, but no longer than this.
    static constexpr std::chrono::milliseconds longest_pause{2'000};

    /// Looks from `first` on.
    explicit DrainWatch(Clock::time_point first) noexcept : next_{first} {}

    /// When to look.
    [[nodiscard]] Clock::time_point next() const noexcept { return next_; }

    void on_look(Clock::time_point start, Clock::time_point end) noexcept
    {
        const auto spared = std::min<Clock::duration>(100 * (end - start), longest_pause);
        next_ = end + std::max<Clock::duration>(pause_.next(), spared);
    }

private:
    Clock::time_point next_;
    BackOff pause_{std::chrono::milliseconds{10}, std::chrono::milliseconds{500}};
};

} // namespace usher
