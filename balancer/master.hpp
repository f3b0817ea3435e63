// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/admin/control_server.hpp"
#include "balancer/admin/operations.hpp"
#include "balancer/command/command.hpp"
#include "balancer/config/resolved_config.hpp"
#include "balancer/events/event_source.hpp"
#include "balancer/events/log_limit.hpp"
#include "balancer/hooks/hooks.hpp"
#include "balancer/output/outputs.hpp"
#include "balancer/pool/pool_set.hpp"
#include "balancer/pool/reloader.hpp"
#include "balancer/process/orphan_reaper.hpp"
#include "balancer/signals/master_signals.hpp"
#include "balancer/systemd/notifier.hpp"
#include "balancer/watch/watchers.hpp"
#include "common/async/line_writer.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace usher {

/// The master process: builds the pools, runs them, changes and ends them when it is told to.
class Master final : private Operations {
public:
    /// `standard_error` must outlive it.
    Master(const RunCommand& command, LineWriter& standard_error);
    Master(const Master&) = delete;
    Master& operator=(const Master&) = delete;
    ~Master();

    /// Runs until everything has ended; the result is the exit code: 0 after SIGTERM, SIGINT or
    /// SIGQUIT, 1 if no worker is left that could serve.
    ///
    /// Throws what Intake::prepare() throws, before any worker is started.
    [[nodiscard]] int run();

    /// True if run() has left things on the event loop that must not be destroyed: the process is
    /// to end by _exit(2).
    [[nodiscard]] bool is_broken() const noexcept { return is_broken_; }

private:
    void end_after(const std::exception& error) noexcept;
    boost::asio::awaitable<Outcome> carry_out(Request request) override;
    SnapshotTaker& snapshots() override { return snapshots_; }
    EventBus& events() override { return bus_; }
    std::shared_ptr<Bus> find_bus(const std::string& pool, Outcome& refusal) override;

    [[nodiscard]] boost::asio::awaitable<Outcome> reload();

    void watch_files(const ResolvedConfig& config);

    /// Replaces the workers of a pool whose files have changed; returns why that has failed.
    [[nodiscard]] boost::asio::awaitable<std::string> renew(std::string name);
    Outcome send(const std::string& pool, unsigned slot, std::string message);
    Outcome stop(bool fast);

    /// The pool of that name, or the only one if `name` is empty; null if there is none or it has
    /// no such slot: then `refusal` says so.
    [[nodiscard]] PoolSet::Handle find_pool(std::string_view name, unsigned slot,
                                            Outcome& refusal) const;
    [[nodiscard]] std::vector<PoolSet::Handle> open_pools();
    void on_signal(SignalOrder order, const std::string& name);

    /// Sockets whose files somebody removes come back, also without a reload.
    [[nodiscard]] boost::asio::awaitable<void> look_after_files();
    using Operation = std::function<boost::asio::awaitable<Outcome>(Pool& pool)>;
    void have_all(const std::string& done, const Operation& operation);
    void stop_pools();
    void on_all_ended();
    void close();
    void on_given_up();
    void say_left_files();
    [[nodiscard]] MasterSnapshot snapshot() const;

    // One thread, so no locks: the hint spares Asio its own.
    boost::asio::io_context io_{1};
    EventBus bus_;
    EventSource events_{bus_};
    LogLimit log_limit_;
    EventBus::Subscription log_;
    MasterSignals signals_;
    Outputs outputs_;
    Hooks hooks_;
    BusSet buses_;
    PoolSet pools_;
    systemd::Notifier notifier_;
    OrphanReaper orphans_;
    Reloader reloader_;
    Watchers watchers_;
    std::optional<PoolSet::Operation>
        awaits_change_; ///< which brings back a pool that has given up
    SnapshotTaker snapshots_{io_.get_executor(), [this] { return snapshot(); }};
    ControlServer control_;
    boost::asio::steady_timer lame_duck_timer_;
    boost::asio::steady_timer files_timer_;
    ResolvedConfig config_;
    const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
    bool stopping_ = false;
    bool is_broken_ = false;
    bool has_given_up_ = false; ///< a pool, after it had served
};

} // namespace usher
