// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/config.hpp"
#include "balancer/dispatch/dispatcher.hpp"
#include "balancer/supervise/restart_policy.hpp"
#include "balancer/supervise/worker_process.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include <memory>
#include <random>
#include <string>

namespace usher {

/// Keeps one place of a pool filled: starts a worker, follows it to its end, starts the next.
///
/// An actor: run() ends when it is stopped or has given up, and never while a process is left.
class WorkerSlot final : private WorkerProcess::Observer {
public:
    /// What the slots of a pool share.
    class Owner {
    public:
        /// A number for the next worker; never the same twice.
        [[nodiscard]] virtual std::uint64_t next_worker_id() noexcept = 0;

        /// True once any worker of the pool has been ready.
        [[nodiscard]] virtual bool was_ever_ready() const noexcept = 0;
        virtual void on_ready() noexcept = 0;

    protected:
        ~Owner() = default;
    };

    WorkerSlot(boost::asio::any_io_executor executor, const PoolConfig& config, unsigned slot,
               std::string label, Dispatcher& dispatcher, Owner& owner);

    [[nodiscard]] boost::asio::awaitable<void> run();

    /// Drains the worker and starts no other.  A second call does nothing.
    void stop();

    /// Ends what is left quickly; see WorkerLifecycle::hurry().
    void hurry();

    /// Looks at the worker's scoreboard; see WorkerProcess::audit().
    void audit();

    /// True once it has given up starting workers.
    [[nodiscard]] bool has_failed() const noexcept { return failed_; }

    /// Why the last worker ended or could not be started: one clause.
    [[nodiscard]] const std::string& last_failure() const noexcept { return last_failure_; }

private:
    void on_worker_ready(WorkerProcess& worker) noexcept override;
    void on_worker_leaving(WorkerProcess& worker) noexcept override;
    void on_worker_lost(WorkerProcess& worker) override;

    [[nodiscard]] boost::asio::awaitable<void> run_worker();
    [[nodiscard]] bool should_give_up() const noexcept;
    [[nodiscard]] boost::asio::awaitable<void> back_off(RestartPolicy::Duration uptime);

    boost::asio::any_io_executor executor_;
    const PoolConfig& config_;
    unsigned slot_;
    std::string label_;
    Dispatcher& dispatcher_;
    Owner& owner_;

    RestartPolicy policy_;
    std::minstd_rand dice_{std::random_device{}()};
    std::shared_ptr<WorkerProcess> worker_;
    boost::asio::steady_timer delay_;
    std::string last_failure_;
    bool stopping_ = false;
    bool failed_ = false;
};

} // namespace usher
