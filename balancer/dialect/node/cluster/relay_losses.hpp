// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>

namespace usher {

/// When to tell of messages that were lost, and of how many: of the first at once, and then every
/// ten seconds at the most.
class RelayLosses {
public:
    using Clock = std::chrono::steady_clock;
    static constexpr std::chrono::seconds pause{10};

    void add(std::uint64_t count) noexcept { untold_ += count; }

    /// How many to tell of now; 0: of none.
    [[nodiscard]] std::uint64_t take_due(Clock::time_point now) noexcept
    {
        if (untold_ == 0 || (last_told_ && now - *last_told_ < pause))
            return 0;
        last_told_ = now;
        return take_rest();
    }

    /// Those that nobody was told of, when no more will follow.
    [[nodiscard]] std::uint64_t take_rest() noexcept { return std::exchange(untold_, 0); }

private:
    std::uint64_t untold_ = 0;
    std::optional<Clock::time_point> last_told_;
};

} // namespace usher
