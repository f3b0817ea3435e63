// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/dialect/dispatch_intake.hpp"
#include "balancer/dialect/intake.hpp"
#include "balancer/dialect/node/cluster/node_cluster.hpp"
#include "balancer/events/event_bus.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <memory>

namespace usher {

/// Hands off as dialects native and preload do, until a program of dialect auto turns out to be the
/// primary of Node's cluster: then usher is its primary, and what has listened so far is the first
/// of its servers'.
class AutoIntake final : public Intake {
public:
    AutoIntake(boost::asio::any_io_executor executor, const ResolvedPool& config, EventBus& events);

    [[nodiscard]] ListenerChange prepare(const ResolvedPool& next, SocketSource& sockets) override;
    void start() override { dispatch_.start(); }
    void close(std::function<void()> on_closed) override;
    std::size_t drop_waiting() override;
    void give_up_slot(unsigned slot) override;
    [[nodiscard]] std::shared_ptr<WorkerLink> connect(std::shared_ptr<const ResolvedPool> config,
                                                      const WorkerIdentity& identity) override;
    [[nodiscard]] bool takes_messages() const noexcept override { return node_ != nullptr; }
    [[nodiscard]] std::vector<sys::SocketAddress> addresses() const override;
    [[nodiscard]] std::vector<SocketFile> files() const override;
    [[nodiscard]] std::vector<Asked> asked_for() const override;
    [[nodiscard]] std::vector<Listening> listening() const override;
    [[nodiscard]] std::optional<Dialect> found() const noexcept override
    {
        return node_ ? Dialect::node : dispatch_.found();
    }
    [[nodiscard]] std::optional<DispatchCounters> counters() const noexcept override;

private:
    void become_node(const ResolvedPool& config);

    boost::asio::any_io_executor executor_;
    EventBus& events_;
    DispatchIntake dispatch_;
    std::unique_ptr<NodeCluster> node_; ///< null: nothing was found of that kind
};

} // namespace usher
