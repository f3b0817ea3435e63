// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/config.hpp"
#include "balancer/dialect/drain_watch.hpp"
#include "balancer/dialect/node/node_worker.hpp"
#include "balancer/dialect/open_connections.hpp"
#include "balancer/dispatch/handoff_channel.hpp"
#include "balancer/events/event_bus.hpp"
#include "balancer/output/outputs.hpp"
#include "balancer/supervise/child_process.hpp"
#include "balancer/supervise/control_channel.hpp"
#include "balancer/supervise/hang_detector.hpp"
#include "balancer/supervise/probe.hpp"
#include "balancer/supervise/recycle_policy.hpp"
#include "balancer/supervise/worker_lifecycle.hpp"
#include "common/sys/socket_address.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

namespace usher {

/// Who a worker is.
struct WorkerIdentity {
    std::string pool;
    unsigned slot = 0;       ///< from 1; stays with the place
    std::uint64_t id = 0;    ///< never used twice while the master lives
    unsigned generation = 0; ///< from 1
    std::string label;       ///< how the log calls the slot: `worker 1` or `worker api/1`
};

/// One worker process: spoken to over its control socket and fed by its hand-off socket, or both
/// over Node's channel; seen off by its deadlines.
///
/// An actor: run() ends when the process has ended, and only then.  Lives as a shared pointer,
/// because waits under way keep it.
class WorkerProcess final : private Probe::Observer,
                            private NodeWorker::Observer,
                            public std::enable_shared_from_this<WorkerProcess> {
public:
    using Clock = WorkerLifecycle::Clock;

    /// Hears when connections may come and when they may not.
    class Observer {
    public:
        virtual void on_worker_ready(WorkerProcess& worker) noexcept = 0;

        /// It drains, is retired or has ended; called once, also if it never was ready.
        virtual void on_worker_leaving(WorkerProcess& worker) noexcept = 0;

        /// It is being ended or has ended: what it has not taken is for others.  May be called
        /// more than once.
        virtual void on_worker_lost(WorkerProcess& worker) = 0;

        /// It has been given as many connections as it may have; called in the middle of a
        /// hand-off, so it must do no more than take note.
        virtual void on_worker_due() noexcept = 0;

    protected:
        ~Observer() = default;
    };

    /// Starts the process; `dice` from -1 to 1 is RecyclePolicy's, `cluster` is there if the
    /// dialect is node.  Throws SpawnError, or std::system_error if the master has no descriptors
    /// or memory left for it.
    WorkerProcess(const boost::asio::any_io_executor& executor,
                  std::shared_ptr<const PoolConfig> config, WorkerIdentity identity,
                  EventBus& events, Outputs& outputs, Observer& observer, double dice,
                  std::vector<sys::SocketAddress> listeners = {}, NodeCluster* cluster = nullptr);

    /// Follows the process to its end.
    [[nodiscard]] boost::asio::awaitable<sys::ExitStatus> run();

    /// Lets it finish what it has, then ends it; see WorkerLifecycle.
    void stop();
    void hurry();

    /// It is at fault, for `reason`: what it had not taken goes to others, then it is ended.
    void retire(std::string reason);

    /// Retires it if its scoreboard is not credible.
    void audit();

    /// Ends it with `hang_signal` if it does not take what it is given or its loop stands still.
    void look_for_hang(Clock::time_point now);

    /// Limits that are new since it was started, and can be applied to one that runs.
    void set_limits(const PoolConfig& config);

    /// Asks the kernel how much memory it has; see RecyclePolicy.
    [[nodiscard]] std::error_code sample_memory() noexcept;

    /// Why it has served long enough: one clause; empty if it has not, or is not ready.
    [[nodiscard]] std::string look_for_recycling(Clock::time_point now) const;

    /// All were suspended, so nobody is to blame for what did not happen until `now`.
    void forgive(Clock::time_point now) noexcept;

    /// Publishes an event of this worker; `text` goes behind its name.
    void publish(EventKind kind, log::Level level, std::string text) const;

    /// How the log calls it: `worker 1 (pid 4711)`.
    [[nodiscard]] std::string name() const;

    [[nodiscard]] const WorkerIdentity& identity() const noexcept { return identity_; }
    [[nodiscard]] pid_t pid() const noexcept { return child_.pid(); }

    /// What it is fed by, whatever its dialect.
    [[nodiscard]] const WorkerFeed& feed() const noexcept { return feed_; }

    /// Null unless its dialect is node; channel() is for all others.
    [[nodiscard]] NodeWorker* node() noexcept { return node_.get(); }
    [[nodiscard]] HandoffChannel& channel() noexcept { return *handoff_; }

    /// The last lines it wrote to its standard error, if the master reads it.
    [[nodiscard]] std::deque<std::string> last_output() const;

    [[nodiscard]] std::uint64_t memory() const noexcept { return memory_; }
    /// Why it is not ready although it says so: one clause; empty if it is, or does not say so.
    [[nodiscard]] std::string probe_failure() const;

    /// Why it was not ready in time, as far as anybody can tell: one clause, empty if not.
    [[nodiscard]] std::string start_failure() const;

    [[nodiscard]] bool was_ready() const noexcept { return was_ready_; }
    [[nodiscard]] WorkerLifecycle::State state() const noexcept { return lifecycle_.state(); }
    [[nodiscard]] Clock::time_point started_at() const noexcept { return started_; }

private:
    void on_probe_passed() override;
    void on_probe_failed() override;

    void wake();
    void perform(WorkerLifecycle::Action action);
    void leave() noexcept;
    void stop_probe() noexcept;
    void drain();
    void look_for_idle();
    [[nodiscard]] bool is_preload() const noexcept;
    [[nodiscard]] std::optional<std::uint64_t> count_open() const;
    [[nodiscard]] std::string open_text() const;
    void end_with(int signal);
    void abort_hung(std::string reason);
    void on_node_online() override;
    void on_node_ready() override;
    void on_node_leaving(std::string reason) override;
    void on_node_fault(std::string reason) override;
    void on_node_message(std::string_view message) override;
    void on_message(const wire::ControlMessage& message);
    void on_hello(const wire::Hello& hello);
    void on_ready();
    void become_ready();
    void on_unknown(const wire::UnknownMessage& message);

    WorkerIdentity identity_;
    Observer& observer_;
    std::shared_ptr<const PoolConfig> config_;
    EventBus& events_;
    std::vector<sys::SocketAddress> listeners_; ///< of the pool, real ports
    std::unique_ptr<HandoffChannel> handoff_;   ///< null if there is `node_`
    std::shared_ptr<NodeWorker> node_;
    WorkerFeed& feed_;                                ///< one of the two
    std::optional<OpenConnections> open_connections_; ///< of a worker that cannot count them
    std::shared_ptr<ControlChannel> control_;         ///< null if there is `node_`
    std::shared_ptr<OutputReader> output_;            ///< null: it has our descriptors
    std::string cgroup_trouble_; ///< why it has none of its own although it should
    ChildProcess child_;
    WorkerLifecycle lifecycle_;
    HangDetector hang_detector_;
    RecyclePolicy recycle_policy_;
    std::shared_ptr<Probe> probe_; ///< null: none was begun
    boost::asio::steady_timer wake_;
    std::optional<DrainWatch>
        drain_watch_; ///< while a worker drains that cannot say when it is done

    Clock::time_point started_ = Clock::now();
    Clock::time_point ready_at_{};
    std::uint64_t memory_ = 0; ///< bytes, as last sampled
    std::uint64_t unknown_messages_ = 0;
    bool said_hello_ = false;
    bool was_ready_ = false;
    bool left_ = false;
    bool has_shown_its_end_ = false; ///< on its pidfd
};

} // namespace usher
