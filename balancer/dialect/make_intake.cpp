// SPDX-License-Identifier: MIT
#include "balancer/dialect/make_intake.hpp"

#include "balancer/dialect/auto_intake.hpp"
#include "balancer/dialect/listen_fds/listen_fds_intake.hpp"
#include "balancer/dialect/node/cluster/node_cluster.hpp"
#include "balancer/dialect/none/none_intake.hpp"

namespace asio = boost::asio;

namespace usher {

IntakeKind intake_kind(Dialect dialect) noexcept
{
    return dialect == Dialect::node         ? IntakeKind::node
           : dialect == Dialect::listen_fds ? IntakeKind::listen_fds
           : dialect == Dialect::none       ? IntakeKind::none
                                            : IntakeKind::dispatch;
}

std::unique_ptr<Intake> make_intake(const asio::any_io_executor& executor, EventBus& events,
                                    const ResolvedPool& config)
{
    if (config.dialect == Dialect::node)
        return std::make_unique<NodeCluster>(executor, events, config);
    if (config.dialect == Dialect::listen_fds)
        return std::make_unique<ListenFdsIntake>(executor, config, events);
    if (config.dialect == Dialect::none)
        return std::make_unique<NoneIntake>(executor);
    return std::make_unique<AutoIntake>(executor, config, events);
}

} // namespace usher
