// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/config.hpp"

#include <chrono>
#include <optional>

namespace usher {

/// Decides what is to be done with one worker process, from its start to its last deadline.
///
///     starting ─────ready─────▶ ready ──stop──▶ draining ──deadline──▶ terminating ──grace──▶
///     killing
///        └─▶ probing ─passed─────▲ └────────────────retire──────────────────▲
///              └─────timeout, stop, retire (and from starting)──────────────┘
///
/// One that runs and can end in its own way drains from every state before that.
///
/// It is told what happened and the time, and answers with what to do; the end of the process is
/// not its business.
class WorkerLifecycle {
public:
    using Clock = std::chrono::steady_clock;

    enum class State { starting, probing, ready, draining, terminating, killing };
    enum class Action {
        none,
        drain,     ///< end-of-file on the hand-off socket, `drain` on the control socket
        terminate, ///< `stop_signal`
        abort,     ///< `hang_signal`, so that a core or a backtrace tells where it hung
        kill,      ///< SIGKILL to the process group
        give_up,   ///< wait no longer: it hangs where no signal reaches it
    };

    /// After hurry(), a worker has this long (or `stop_grace` if that is shorter) from SIGTERM.
    static constexpr std::chrono::milliseconds hurried_grace{1'000};

    /// After SIGKILL a worker has this long to end.
    static constexpr std::chrono::milliseconds last_grace{10'000};

    /// Goes by the `start_timeout`, `drain_timeout` and `stop_grace` of `config`, which must
    /// outlive it and may change: other limits count from where the old ones did.
    WorkerLifecycle(const PoolConfig& config, Clock::time_point now) noexcept
        : config_{config}, entered_{now}
    {
    }

    /// The worker said that it is ready, and has to prove it within its `start_timeout`.
    void on_probing() noexcept;

    /// It is ready, by its own word or because it has passed its probe.
    void on_ready() noexcept;

    /// No further connection for it, let it finish.  Before it is ready it has none, and so nothing
    /// to finish, unless it `has_other_work`.
    void stop(Clock::time_point now, bool has_other_work = false) noexcept;

    /// It drains, and has nothing left to finish: SIGTERM at once.
    void on_idle(Clock::time_point now) noexcept;

    /// It is at fault: SIGTERM at once; or it hangs: `abort`.
    void retire(Clock::time_point now, Action action = Action::terminate) noexcept;

    /// Whoever waits is in a hurry: SIGTERM at once and a short grace.
    void hurry(Clock::time_point now) noexcept;

    /// What advance() wanted was done to it only now: its grace counts from here.
    void on_signalled(Clock::time_point now) noexcept;

    /// What to do now; call it after each event and when deadline() has come, until `none`.
    [[nodiscard]] Action advance(Clock::time_point now) noexcept;

    [[nodiscard]] State state() const noexcept { return state_; }

    /// When advance() will have something to say by itself.
    [[nodiscard]] std::optional<Clock::time_point> deadline() const noexcept;

    /// True if it is on its way out because it never became ready in time.
    [[nodiscard]] bool has_start_timed_out() const noexcept { return start_timed_out_; }

private:
    [[nodiscard]] bool is_before_ready() const noexcept { return state_ < State::ready; }
    void enter(State state, Action action, Clock::time_point now) noexcept;

    const PoolConfig& config_;
    State state_ = State::starting;
    Action pending_ = Action::none;
    Clock::time_point entered_; ///< when the deadline of its state began to count
    std::optional<Clock::time_point> hurried_;
    bool start_timed_out_ = false;
};

} // namespace usher
