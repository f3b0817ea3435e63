// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/config.hpp"
#include "balancer/dispatch/dispatcher.hpp"
#include "balancer/dispatch/listener.hpp"
#include "balancer/dispatch/listening_socket.hpp"
#include "balancer/dispatch/reclaim_queue.hpp"
#include "balancer/supervise/worker_slot.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace usher {

/// Identical workers, the listeners that feed them, and the dispatcher between.
///
/// The owner keeps it until the event loop has run out of work.
class Pool final : private WorkerSlot::Owner,
                   private ReclaimQueue::Observer,
                   private Listener::Observer {
public:
    /// `last_worker_id` is shared by all pools of the master.  With `labelled`, the log calls its
    /// workers `worker NAME/1` instead of `worker 1`.
    Pool(const boost::asio::any_io_executor& executor, PoolConfig config, bool labelled,
         std::uint64_t& last_worker_id);

    /// Opens the listeners.  Throws AddressInUse, std::system_error, std::runtime_error.
    void open();

    /// Starts workers and accepts; `on_end` is called once when no worker is left and none will
    /// be started.
    void start(std::function<void()> on_end);

    /// Stops accepting and drains the workers.
    void stop();

    /// Ends what is left quickly.
    void hurry();

    /// Why no worker is left although nobody stopped it: every slot gave up.  Empty otherwise.
    [[nodiscard]] std::string failure() const;

    [[nodiscard]] const PoolConfig& config() const noexcept { return config_; }

private:
    std::uint64_t next_worker_id() noexcept override { return ++last_worker_id_; }
    bool was_ever_ready() const noexcept override { return was_ever_ready_; }
    void on_ready() noexcept override { was_ever_ready_ = true; }

    void on_reclaimed(std::string_view worker, std::size_t reclaimed,
                      std::size_t closed) noexcept override;
    void on_accept_failure(const Listener& listener, std::error_code error,
                           std::chrono::milliseconds pause) noexcept override;

    void close_listeners();
    void on_slot_end();
    void audit_periodically();

    boost::asio::any_io_executor executor_;
    PoolConfig config_;
    std::uint64_t& last_worker_id_;
    Dispatcher dispatcher_;

    struct OpenListener {
        std::string name;
        SocketFile file;
        std::shared_ptr<Listener> listener;
    };
    std::vector<OpenListener> listeners_;
    std::vector<std::unique_ptr<WorkerSlot>> slots_;

    boost::asio::steady_timer audit_timer_;
    std::function<void()> on_end_;
    std::size_t running_slots_ = 0;
    bool was_ever_ready_ = false;
    bool stopping_ = false;
};

} // namespace usher
