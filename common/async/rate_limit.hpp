// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>

namespace usher {

/// Decides how much of what may happen often is taken, such as lines of the log or what others
/// cause at will: so many in 10 s, the first at once.  Holds no clock: it is told the time.
class RateLimit {
public:
    using Clock = std::chrono::steady_clock;

    static constexpr std::chrono::seconds interval{10};

    explicit constexpr RateLimit(std::uint64_t most = 1) noexcept : most_{most} {}

    /// When there is room again for all.
    [[nodiscard]] constexpr Clock::time_point next() const noexcept { return next_; }

    /// True if there is room for one more; the first begins the next interval.
    [[nodiscard]] constexpr bool take(Clock::time_point now) noexcept
    {
        if (now >= next_) {
            next_ = now + interval;
            taken_ = 0;
        }
        return ++taken_ <= most_;
    }

private:
    std::uint64_t most_;
    std::uint64_t taken_ = 0;
    Clock::time_point next_ = Clock::time_point::min();
};

} // namespace usher
