// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/bus/bus_port.hpp"
#include "balancer/config/resolved_config.hpp"
#include "balancer/dialect/drain_watch.hpp"
#include "balancer/dialect/notify/notify_inbox.hpp"
#include "balancer/dialect/proc_looks.hpp"
#include "balancer/dialect/worker_identity.hpp"
#include "balancer/dialect/worker_link.hpp"
#include "balancer/events/event_source.hpp"
#include "balancer/output/outputs.hpp"
#include "balancer/process/child_process.hpp"
#include "balancer/worker/hang_detector.hpp"
#include "balancer/worker/rate_meter.hpp"
#include "balancer/worker/recycle_policy.hpp"
#include "balancer/worker/worker_lifecycle.hpp"
#include "common/sys/proc/process_group.hpp"
#include "common/sys/process/oom_kills.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace usher {

/// One worker process: started, watched, and seen off by its deadlines.  How it is spoken to is
/// its link's business.
///
/// An actor: run() ends when the process has ended, and all of its process group, and only then.
/// Lives as a shared pointer, because waits under way keep it.
class WorkerProcess final : private WorkerLink::Observer,
                            public std::enable_shared_from_this<WorkerProcess> {
public:
    using Clock = WorkerLifecycle::Clock;

    /// Hears that the worker has become ready, so that attach() brings it connections; or that it
    /// is so no longer and goes, or has been given as many connections as it may have: then in the
    /// middle of a hand-off, and must do no more than take note.
    using OnChange = std::function<void(bool has_become_ready)>;

    /// `config` is this worker's alone, and its link's.  `dice` from -1 to 1 is RecyclePolicy's.
    ///
    /// Throws std::system_error if the master has no descriptors or memory left.
    WorkerProcess(const boost::asio::any_io_executor& executor,
                  std::shared_ptr<ResolvedPool> config, WorkerIdentity identity,
                  std::shared_ptr<WorkerLink> link, EventBus& events, Outputs& outputs,
                  OnChange on_change, double dice);

    /// Starts the process, which speaks on `bus`; see ChildProcess.  Comes before all that follows.
    ///
    /// Throws std::runtime_error.
    [[nodiscard]] boost::asio::awaitable<void> start(std::shared_ptr<Bus> bus,
                                                     boost::asio::steady_timer& deadline);

    /// Follows the process to its end.
    [[nodiscard]] boost::asio::awaitable<sys::ExitStatus> run();

    /// Connections come to it from now on, or no longer; it detaches itself when it leaves.
    void attach() { link_->attach(); }
    void detach() noexcept { link_->detach(); }

    /// Sends `message` to its program, unless it is being ended; see WorkerLink.
    [[nodiscard]] Delivery send_message(const std::shared_ptr<const ProgramMessage>& message);

    /// Lets it finish what it may have, then ends it; see WorkerLifecycle.
    void stop();
    void hurry() { tell(&WorkerLifecycle::hurry); }

    /// Retires it if its scoreboard is not credible, and ends it with `hang_signal` if it does not
    /// take what it is given or its loop stands still.  If all were `suspended`, nobody is to blame
    /// for what did not happen until `now`.  Asks for its memory from time to time.
    void look(Clock::time_point now, bool suspended);

    /// Follows what is new since it was started, as far as one that runs can; see bring_in().
    void follow(const ResolvedPool& next);

    /// Why it has served long enough: one clause; empty if it has not, or is not ready.  That it
    /// has too much memory counts for one that has been ready for `memory_patience`.
    [[nodiscard]] std::string look_for_recycling(Clock::time_point now,
                                                 std::chrono::milliseconds memory_patience) const;

    /// What is known of the memory of one that is ready and has a limit.
    struct Memory {
        std::chrono::milliseconds age; ///< since it was ready
        std::uint64_t bytes;
        bool is_too_much;
        bool has_grown; ///< it was not too much before
    };
    [[nodiscard]] std::optional<Memory> memory(Clock::time_point now) const;

    /// How the log calls it: `worker 1 (pid 4711)`.
    [[nodiscard]] std::string name() const;

    [[nodiscard]] const EventSource& events() const noexcept { return events_; }
    [[nodiscard]] const WorkerIdentity& identity() const noexcept { return identity_; }
    [[nodiscard]] pid_t pid() const noexcept { return child_->pid(); }

    /// What is known of its connections; see WorkerLink.
    [[nodiscard]] std::optional<Figures> figures() const noexcept { return link_->figures(); }

    /// How many it has been handed a second, of late; nothing if nobody can tell.
    [[nodiscard]] std::optional<double> connections_per_second(Clock::time_point now) const noexcept
    {
        const auto known = figures();
        return known ? std::optional{rate_.per_second(now, known->handed_off)} : std::nullopt;
    }

    /// Messages of the bus that it has lost, since it does not read fast enough.
    [[nodiscard]] std::uint64_t lost_messages() const
    {
        return bus_port_ ? bus_port_->lost_messages() : 0;
    }

    /// The last lines it wrote to its standard error, if the master reads it.
    [[nodiscard]] std::deque<std::string> last_output() const
    {
        return output_ ? output_->last_errors() : std::deque<std::string>{};
    }

    /// Why it was not ready in time, as far as anybody can tell: one clause, empty if not.
    [[nodiscard]] std::string start_failure() const;

    /// What it last said of itself by STATUS=, sd_notify(3); empty if nothing.
    [[nodiscard]] const std::string& says() const noexcept { return says_; }

    [[nodiscard]] bool was_ready() const noexcept { return was_ready_; }

    /// It has said itself that it ends, so that exit code 0 is no failure.
    [[nodiscard]] bool has_said_goodbye() const noexcept { return has_said_goodbye_; }

    /// It was ended because it hung, was not ready in time or broke a rule: a failure, whatever its
    /// exit code.
    [[nodiscard]] bool was_at_fault() const noexcept
    {
        return is_at_fault_ || lifecycle_.has_start_timed_out();
    }

    /// It has ended because another way to speak to it was found: no failure.
    [[nodiscard]] bool is_misfit() const noexcept { return is_misfit_; }
    [[nodiscard]] WorkerLifecycle::State state() const noexcept { return lifecycle_.state(); }

    /// True if nobody can see when it has no connection left, for want of CAP_SYS_PTRACE.
    [[nodiscard]] bool is_hidden() const;

    /// What `status`, its own, says of its end: one clause.
    [[nodiscard]] std::string describe(const sys::ExitStatus& status) const;

    /// How long ago it was started.
    [[nodiscard]] std::chrono::milliseconds age() const noexcept
    {
        return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - started_);
    }

private:
    void on_probe(std::string failure);
    void end_probe() { probe_end_.emit(boost::asio::cancellation_type::terminal); }
    void tell(void (WorkerLifecycle::*what)(Clock::time_point));
    void blame(EventKind kind, const std::string& text, WorkerLifecycle::Action action);
    void apply_limits();
    void sample_memory(Clock::time_point now);
    void drain();
    void send_end_signal(int signal);
    [[nodiscard]] boost::asio::awaitable<void> look_at_group();
    void look_for_oom(const sys::ExitStatus& status);
    [[nodiscard]] bool is_group_gone() const noexcept;
    void tell_group();
    void perform(WorkerLifecycle::Action action, const std::string& open);
    void become_ready();
    void be_ready();
    void on_notification(const Notification& notification);

    void on_online() override;
    void on_ready() override;
    void on_leaving(std::string reason, bool has_said_so) override;
    void on_idle() override;
    void on_fault(std::string reason) override;
    void on_note(std::string text) override;
    void on_warning(std::string text) override;
    void on_misfit() override;
    void on_message(std::string_view text) override;

    WorkerIdentity identity_;
    OnChange on_change_;
    std::shared_ptr<ResolvedPool> config_;
    const std::chrono::milliseconds first_stall_timeout_; ///< by which its watchdog goes
    std::shared_ptr<WorkerLink> link_;
    std::optional<BusPort> bus_port_;     ///< from start() on
    std::shared_ptr<NotifyInbox> notify_; ///< null: its dialect has a way of its own
    Outputs& outputs_;
    std::shared_ptr<OutputReader> output_; ///< null: it has our descriptors
    std::unique_ptr<ChildProcess> child_;  ///< null before start() has returned
    EventSource events_;
    WorkerLifecycle lifecycle_;
    HangDetector hang_detector_;
    RateMeter rate_; ///< of what it has been handed
    RecyclePolicy recycle_policy_;
    DrainWatch group_watch_{Clock::now()}; ///< once the process has ended
    ProcLooks group_looks_;
    std::optional<std::vector<sys::GroupMember>> group_; ///< the others in it, as last seen
    std::optional<sys::OomKills> oom_kills_; ///< where they are counted, and how many, as last seen
    std::string oom_text_;                   ///< if it was one of them
    boost::asio::cancellation_signal probe_end_;
    bool is_at_fault_ = false;  ///< it hangs, or is retired
    std::string fault_;         ///< what it was retired for before it was ready; else empty
    std::string probe_failure_; ///< why it has not passed its probe; empty: it has, or has none
    boost::asio::steady_timer wake_;

    Clock::time_point started_ = Clock::now();
    Clock::time_point ready_at_{};
    Clock::time_point watchdog_at_{}; ///< when it last sent WATCHDOG=1
    std::string says_;
    std::uint64_t memory_ = 0;       ///< bytes, as last sampled
    bool had_enough_memory_ = false; ///< no more than it may, at a look
    std::error_code memory_error_;
    Clock::time_point next_sample_{};
    bool said_blind_ = false;
    bool was_ready_ = false;
    bool is_misfit_ = false;
    bool ends_by_itself_ = false;
    bool has_said_goodbye_ = false;
    bool has_shown_its_end_ = false; ///< on its pidfd
    bool is_group_hidden_ = false;   ///< nobody could look
    bool counts_oom_alone_ = false;  ///< in a cgroup of its own
    bool was_group_told_ = false;    ///< that it is to end
};

} // namespace usher
