// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/config.hpp"
#include "common/async/back_off.hpp"

#include <algorithm>
#include <chrono>
#include <optional>

namespace usher {

/// Decides when a worker that ended is started again.  Holds no clock, timer, dice or process:
/// it is told what happened and answers, so that its tests need none of them either.
class RestartPolicy {
public:
    using Duration = std::chrono::milliseconds;

    /// How a worker ended.
    struct Exit {
        Duration uptime{};
        bool is_on_trial = false;  ///< its first failure is final
        bool was_any_ready = true; ///< some worker of the pool, ever
    };

    /// How long to wait before the next start; nothing means: leave it down.
    ///
    /// `dice` from -1 to 1 moves the delay by up to a quarter either way, so that workers which
    /// died together do not come back together.
    [[nodiscard]] std::optional<Duration> after_exit(const PoolConfig& config, const Exit& exit,
                                                     double dice) noexcept
    {
        const auto& limits = config.restart;
        if (exit.uptime >= limits.healthy_after)
            failures_ = 0;

        ++failures_;
        if (exit.is_on_trial || failures_ > limits.give_up_after ||
            (!exit.was_any_ready && failures_ >= config.start_attempts))
            return std::nullopt;

        const auto delay = doubled(limits.first_delay, failures_, limits.longest_delay);
        return std::chrono::duration_cast<Duration>(delay *
                                                    (1.0 + std::clamp(dice, -1.0, 1.0) / 4));
    }

    /// Failures in a row so far.
    [[nodiscard]] unsigned failures() const noexcept { return failures_; }

private:
    unsigned failures_ = 0;
};

} // namespace usher
