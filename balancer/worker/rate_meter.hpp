// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace usher {

/// How fast a counter grows, over the last seconds.  Holds no clock: it is shown the counter at
/// intervals.
class RateMeter {
public:
    using Clock = std::chrono::steady_clock;

    /// Remembers that the counter is at `count` now, at most once a second.
    void look(Clock::time_point now, std::uint64_t count) noexcept
    {
        if (size_ > 0 && now - samples_[newest()].at < std::chrono::seconds{1})
            return;
        samples_[next_] = {.at = now, .count = count};
        next_ = (next_ + 1) % samples_.size();
        size_ = std::min(size_ + 1, samples_.size());
    }

    /// A second's growth, between the oldest look and now; 0 if that was but a moment ago.
    [[nodiscard]] double per_second(Clock::time_point now, std::uint64_t count) const noexcept
    {
        if (size_ == 0)
            return 0;
        const auto& oldest = samples_[(next_ + samples_.size() - size_) % samples_.size()];
        const std::chrono::duration<double> time = now - oldest.at;
        if (time < std::chrono::milliseconds{100} || count < oldest.count)
            return 0;
        return static_cast<double>(count - oldest.count) / time.count();
    }

private:
    struct Sample {
        Clock::time_point at{};
        std::uint64_t count = 0;
    };

    [[nodiscard]] std::size_t newest() const noexcept
    {
        return (next_ + samples_.size() - 1) % samples_.size();
    }

    std::array<Sample, 6> samples_{};
    std::size_t next_ = 0;
    std::size_t size_ = 0;
};

} // namespace usher
