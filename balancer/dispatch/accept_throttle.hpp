// SPDX-License-Identifier: MIT
#pragma once

#include "common/async/back_off.hpp"
#include "common/async/rate_limit.hpp"

#include <chrono>

namespace usher {

/// Decides how long a listener pauses when descriptors or memory run out (EMFILE, ENFILE,
/// ENOBUFS, ENOMEM): the connection stays in the backlog, so a level-triggered listener would
/// spin.  Holds no clock: it is told the time.
class AcceptThrottle {
public:
    using Clock = RateLimit::Clock;

    struct Pause {
        std::chrono::milliseconds duration;
        bool report; ///< this one is worth a log line
    };

    [[nodiscard]] Pause on_failure(Clock::time_point now) noexcept
    {
        return {.duration = pause_.next(), .report = reports_.take(now)};
    }

    void on_success() noexcept { pause_.reset(); }

private:
    BackOff pause_{std::chrono::milliseconds{10}, std::chrono::milliseconds{1'000}};
    RateLimit reports_;
};

} // namespace usher
