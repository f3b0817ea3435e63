// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <chrono>
#include <utility>

namespace usher {

/// The pause before try number `times`, from 1 on: `first`, then twice as long each time.
[[nodiscard]] constexpr std::chrono::milliseconds
doubled(std::chrono::milliseconds first, unsigned times, std::chrono::milliseconds longest)
{
    for (unsigned i = 1; i < times && first < longest; ++i)
        first *= 2;
    return std::min(first, longest);
}

/// How long to wait before something is tried again.
class BackOff {
public:
    using Duration = std::chrono::milliseconds;

    constexpr BackOff(Duration first, Duration longest) noexcept : first_{first}, longest_{longest}
    {
    }

    /// Twice as long as the last time.
    [[nodiscard]] constexpr Duration next() noexcept
    {
        return std::exchange(next_, std::min(2 * next_, longest_));
    }

    /// The next one is the first.
    constexpr void reset() noexcept { next_ = first_; }

private:
    Duration first_;
    Duration longest_;
    Duration next_ = first_;
};

} // namespace usher
