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
        bool is_orderly = false;   ///< it has said that it ends, and its exit code is 0
        bool was_ready = false;    ///< itself
        bool was_any_ready = true; ///< some worker of the pool, ever
    };

    /// Whether another is to follow one that has ended, `successfully` or not, and is not on trial.
    [[nodiscard]] static bool has_follower(const RestartConfig& limits, bool successfully) noexcept
    {
        return limits.on == RestartConfig::On::always ||
               (limits.on == RestartConfig::On::failure && !successfully);
    }

    /// How long to wait before the next start; nothing means: leave it down.  Whoever has served
    /// is tried for ever, unless the configuration wants an end: what it needs may come back.
    ///
    /// `dice` from -1 to 1 moves the delay by up to a quarter either way, so that workers which
    /// died together do not come back together.
    [[nodiscard]] std::optional<Duration> after_exit(const PoolConfig& config, const Exit& exit,
                                                     double dice) noexcept
    {
        const auto& limits = config.restart;
        const bool was_healthy =
            exit.uptime >= limits.healthy_after || (exit.is_orderly && exit.was_ready);
        if (was_healthy && !exit.is_on_trial)
            failures_ = 0;

        ++failures_;
        const bool is_enough =
            exit.was_any_ready ? is_failing(limits) && limits.give_up == RestartConfig::GiveUp::exit
                               : failures_ >= config.start_attempts;
        // One that ends in order may have had to make room, or to begin anew; not for ever.
        const bool is_final =
            exit.is_on_trial && (!exit.is_orderly || failures_ >= config.start_attempts);
        if (is_final || is_enough)
            return std::nullopt;

        const auto delay = doubled(limits.first_delay, failures_, limits.longest_delay);
        return std::chrono::duration_cast<Duration>(delay *
                                                    (1.0 + std::clamp(dice, -1.0, 1.0) / 4));
    }

    /// Failures in a row so far.
    [[nodiscard]] unsigned failures() const noexcept { return failures_; }

    /// More of them than `limits` calls a passing trouble.
    [[nodiscard]] bool is_failing(const RestartConfig& limits) const noexcept
    {
        return failures_ > limits.give_up_after;
    }

private:
    unsigned failures_ = 0;
};

} // namespace usher
