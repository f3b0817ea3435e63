// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/dialect/intake.hpp"
#include "balancer/dialect/pool_listeners.hpp"
#include "balancer/dispatch/dispatcher.hpp"
#include "balancer/dispatch/reclaim_queue.hpp"
#include "balancer/events/event_source.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <string>
#include <string_view>

namespace usher {

/// The master accepts and hands off, in strict turn: for the dialects native and preload.
class DispatchIntake final : public Intake, private ReclaimQueue::Observer {
public:
    DispatchIntake(const boost::asio::any_io_executor& executor, std::string pool,
                   EventBus& events);

    [[nodiscard]] ListenerChange prepare(const PoolConfig& next,
                                         SocketSource& sockets) const override;
    void commit(const PoolConfig& next, ListenerChange change) override;
    void start() override { listeners_.start(); }
    void close(std::function<void()> on_closed) override { listeners_.close(std::move(on_closed)); }
    std::size_t drop_waiting() override { return dispatcher_.stop(); }
    [[nodiscard]] std::shared_ptr<WorkerLink> connect(std::shared_ptr<const PoolConfig> config,
                                                      const WorkerIdentity& identity) override;
    [[nodiscard]] std::vector<sys::SocketAddress> addresses() const override
    {
        return listeners_.addresses();
    }
    [[nodiscard]] std::vector<std::string> names() const override { return listeners_.names(); }
    [[nodiscard]] std::optional<DispatchCounters> counters() const noexcept override
    {
        return dispatcher_.counters();
    }

private:
    void on_reclaimed(std::string_view worker, std::size_t reclaimed,
                      std::size_t closed) noexcept override;

    boost::asio::any_io_executor executor_;
    EventSource events_;
    Dispatcher dispatcher_;
    PoolListeners listeners_;
};

} // namespace usher
