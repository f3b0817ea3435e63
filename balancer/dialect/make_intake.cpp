// SPDX-License-Identifier: MIT
#include "balancer/dialect/make_intake.hpp"

#include "balancer/dialect/dispatch_intake.hpp"
#include "balancer/dialect/listen_fds/listen_fds_intake.hpp"
#include "balancer/dialect/node/cluster/node_cluster.hpp"

namespace asio = boost::asio;

namespace usher {

IntakeKind intake_kind(Dialect dialect) noexcept
{
    switch (dialect) {
    case Dialect::node:
        return IntakeKind::node;
    case Dialect::listen_fds:
        return IntakeKind::listen_fds;
    case Dialect::automatic:
    case Dialect::native:
    case Dialect::preload:
        break;
    }
    return IntakeKind::dispatch;
}

std::unique_ptr<Intake> make_intake(const asio::any_io_executor& executor, EventBus& events,
                                    const PoolConfig& config)
{
    switch (intake_kind(config.dialect)) {
    case IntakeKind::node:
        return std::make_unique<NodeCluster>(executor, events, config);
    case IntakeKind::listen_fds:
        return std::make_unique<ListenFdsIntake>(executor, config, events);
    case IntakeKind::dispatch:
        break;
    }
    return std::make_unique<DispatchIntake>(executor, config.name, events);
}

} // namespace usher
