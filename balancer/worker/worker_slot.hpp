// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/bus/bus_set.hpp"
#include "balancer/config/resolved_config.hpp"
#include "balancer/dialect/intake.hpp"
#include "balancer/events/event_source.hpp"
#include "balancer/worker/restart_policy.hpp"
#include "balancer/worker/worker_process.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <random>
#include <string>

namespace usher {

/// Keeps one place of a pool filled with workers of one generation: starts a worker, follows it to
/// its end, starts the next.
///
/// Two may stand for the same place: while a reload is under way the one that serves, and the one
/// on trial that is to follow it.  route() says whose worker gets the connections.
///
/// An actor: run() ends when it is stopped or has given up, and never while a process is left.
class WorkerSlot {
public:
    /// What the slots of a pool share.
    struct Shared {
        boost::asio::any_io_executor executor;
        EventBus& events;
        Outputs& outputs;
        BusSet& buses;
        std::uint64_t& last_worker_id; ///< of all pools
        std::unique_ptr<Intake> intake;

        /// A worker of `slot` is ready, is so no longer, is due to be replaced, or has ended; or
        /// the slot was told to stop, or has ended.  Perhaps in the middle of a hand-off, so it
        /// must do no more than take note.
        std::function<void(const WorkerSlot& slot)> on_change;

        bool was_ever_ready = false; ///< any worker
    };

    /// `identity` is that of its workers, but for the id.  Its number `member` is never used twice;
    /// see Exchange.
    WorkerSlot(Shared& shared, std::shared_ptr<const ResolvedPool> config, std::uint64_t member,
               WorkerIdentity identity);

    [[nodiscard]] boost::asio::awaitable<void> run();

    /// It is on trial no longer, where the first failure is final, or the last of `start_attempts`
    /// orderly ends: workers are started again after
    /// the restart policy's delays.
    void keep() noexcept { on_trial_ = false; }

    /// Its workers get the place's connections from now on.
    void route();

    /// Its workers get nothing from now on, and go on with what they have.
    void unroute() noexcept;

    /// From the next start on; the worker there is follows at once as far as it can.
    void set_config(std::shared_ptr<const ResolvedPool> config);

    /// As unroute(); also drains the worker and starts no other.  A second call does nothing.
    void stop();

    /// Ends what is left quickly; see WorkerLifecycle::hurry().
    void hurry();

    /// The worker at present, null between two.
    [[nodiscard]] WorkerProcess* worker() noexcept { return worker_.get(); }

    [[nodiscard]] std::uint64_t member() const noexcept { return member_; }

    /// Of the last worker that it has started, if any.
    [[nodiscard]] const WorkerIdentity& identity() const noexcept { return identity_; }
    [[nodiscard]] const ResolvedPool& config() const noexcept { return *config_; }
    [[nodiscard]] bool is_ready() const noexcept;

    /// True once a worker of it has been ready.
    [[nodiscard]] bool was_ready() const noexcept { return was_ready_; }

    /// True once its workers got connections.
    [[nodiscard]] bool was_routed() const noexcept { return was_routed_; }

    /// True once it has given up starting workers.
    [[nodiscard]] bool has_failed() const noexcept { return failed_; }

    /// True once its worker has ended as it was meant to, and none is to follow it.
    [[nodiscard]] bool has_done() const noexcept { return done_; }

    /// True while it has no ready worker and has failed so often in a row that none is expected.
    [[nodiscard]] bool is_failing() const noexcept
    {
        return !is_ready() && policy_.is_failing(config_->restart);
    }

    /// True once it will start no more workers.
    [[nodiscard]] bool is_over() const noexcept { return failed_ || done_ || stopping_; }

    /// True once run() has nothing more to do.
    [[nodiscard]] bool has_ended() const noexcept { return ended_; }

    /// How many workers it has started.
    [[nodiscard]] std::uint64_t starts() const noexcept { return starts_; }

    /// Why the last worker ended or could not be started: one clause.
    [[nodiscard]] const std::string& last_failure() const noexcept { return last_failure_; }

    /// Publishes what that worker wrote last to its standard error, an event for each line.
    void publish_last_output();

private:
    [[nodiscard]] boost::asio::awaitable<bool> run_worker();
    [[nodiscard]] bool leaves_it_at_that();
    void warn_of_hidden_connections();
    [[nodiscard]] boost::asio::awaitable<void> back_off(RestartPolicy::Duration uptime);
    [[nodiscard]] double roll_dice() { return std::uniform_real_distribution{-1.0, 1.0}(dice_); }

    Shared& shared_;
    std::shared_ptr<const ResolvedPool> config_;
    std::uint64_t member_;
    WorkerIdentity identity_;
    EventSource events_;

    RestartPolicy policy_;
    std::minstd_rand dice_{std::random_device{}()};
    std::shared_ptr<WorkerProcess> worker_;
    boost::asio::steady_timer delay_; ///< before a start, and then of it; expired after stop()
    std::string last_failure_;
    std::deque<std::string> last_output_; ///< of the last worker that ended
    std::uint64_t starts_ = 0;
    bool on_trial_ = true;
    bool routed_ = false;
    bool was_routed_ = false;
    bool was_ready_ = false;
    bool stopping_ = false;
    bool failed_ = false;
    bool done_ = false;
    bool is_success_ = false; ///< the end of the last worker
    bool ended_ = false;
    RestartPolicy::Exit last_exit_; ///< of that one
};

} // namespace usher
