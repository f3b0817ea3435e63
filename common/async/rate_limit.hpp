// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>

namespace usher {

/// Decides when something that may happen often is worth a line of the log: at once, then every
/// 10 s.  Holds no clock: it is told the time.
class RateLimit {
public:
    using Clock = std::chrono::steady_clock;

    static constexpr std::chrono::seconds interval{10};

    /// When the next one is due.
    [[nodiscard]] constexpr Clock::time_point next() const noexcept { return next_; }

    /// True if one is due, which begins the next interval.
    [[nodiscard]] constexpr bool take(Clock::time_point now) noexcept
    {
        if (now < next_)
            return false;
        next_ = now + interval;
        return true;
    }

private:
    Clock::time_point next_ = Clock::time_point::min();
};

} // namespace usher
