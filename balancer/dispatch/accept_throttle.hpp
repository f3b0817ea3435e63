// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <chrono>
#include <optional>

namespace usher {

/// Decides how long a listener pauses when descriptors or memory run out (EMFILE, ENFILE,
/// ENOBUFS, ENOMEM): the connection stays in the backlog, so a level-triggered listener would
/// spin.  Holds no clock: it is told the time.
class AcceptThrottle {
public:
    using Clock = std::chrono::steady_clock;

    static constexpr std::chrono::milliseconds first_pause{10};
    static constexpr std::chrono::milliseconds longest_pause{1'000};
    static constexpr std::chrono::seconds between_reports{10};

    struct Pause {
        std::chrono::milliseconds duration;
        bool report; ///< this one is worth a log line
    };

    [[nodiscard]] Pause on_failure(Clock::time_point now) noexcept
    {
        const bool report = !reported_at_ || now - *reported_at_ >= between_reports;
        if (report)
            reported_at_ = now;

        const Pause pause{.duration = next_pause_, .report = report};
        next_pause_ = std::min(next_pause_ * 2, longest_pause);
        return pause;
    }

    void on_success() noexcept { next_pause_ = first_pause; }

private:
    std::chrono::milliseconds next_pause_ = first_pause;
    std::optional<Clock::time_point> reported_at_;
};

} // namespace usher
