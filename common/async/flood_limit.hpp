// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>

namespace usher {

/// Decides how much of what others cause at will is taken: so many in 10 s.  Holds no clock: it is
/// told the time.
class FloodLimit {
public:
    using Clock = std::chrono::steady_clock;

    static constexpr std::chrono::seconds interval{10};

    explicit constexpr FloodLimit(std::uint64_t most) noexcept : most_{most} {}

    /// True if there is room for one more.
    [[nodiscard]] constexpr bool take(Clock::time_point now) noexcept
    {
        if (now >= end_) {
            end_ = now + interval;
            taken_ = 0;
        }
        return ++taken_ <= most_;
    }

private:
    std::uint64_t most_;
    std::uint64_t taken_ = 0;
    Clock::time_point end_ = Clock::time_point::min();
};

} // namespace usher
