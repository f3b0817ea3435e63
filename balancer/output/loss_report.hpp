// SPDX-License-Identifier: MIT
#pragma once

#include "common/async/rate_limit.hpp"

#include <cstdint>
#include <optional>
#include <tuple>
#include <utility>

namespace usher {

/// Counts lines that are lost, and decides when that is worth a log line: at once, then every
/// 10 s.  Holds no clock: it is told the time.
class LossReport {
public:
    using Clock = RateLimit::Clock;

    void on_loss(std::uint64_t lines) noexcept
    {
        pending_ = true;
        unreported_ += lines;
        total_ += lines;
    }

    /// When the next report is due; nothing means: there is nothing to say.
    [[nodiscard]] std::optional<Clock::time_point> due() const noexcept
    {
        if (!pending_)
            return std::nullopt;
        return reports_.next();
    }

    /// The lines lost since the last report.
    [[nodiscard]] std::uint64_t take(Clock::time_point now) noexcept
    {
        pending_ = false;
        std::ignore = reports_.take(now);
        return std::exchange(unreported_, 0);
    }

    [[nodiscard]] std::uint64_t total() const noexcept { return total_; }

private:
    bool pending_ = false;
    std::uint64_t unreported_ = 0;
    std::uint64_t total_ = 0;
    RateLimit reports_;
};

} // namespace usher
