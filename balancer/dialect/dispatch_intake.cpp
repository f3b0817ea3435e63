// SPDX-License-Identifier: MIT
#include "balancer/dialect/dispatch_intake.hpp"

#include "balancer/dialect/native/native_link.hpp"
#include "balancer/dialect/preload/preload_link.hpp"

#include <fmt/core.h>

#include <new>
#include <utility>

namespace asio = boost::asio;

namespace usher {

DispatchIntake::DispatchIntake(const asio::any_io_executor& executor, std::string pool,
                               EventBus& events)
    : executor_{executor},
      events_{events, {.pool = pool}},
      dispatcher_{executor, *this},
      listeners_{executor, std::move(pool), dispatcher_, events}
{
}

ListenerChange DispatchIntake::prepare(const PoolConfig& next, SocketSource& sockets) const
{
    return listeners_.prepare(next, sockets);
}

void DispatchIntake::commit(const PoolConfig& next, ListenerChange change)
{
    listeners_.commit(next, std::move(change));
}

std::shared_ptr<WorkerLink> DispatchIntake::connect(std::shared_ptr<const PoolConfig> config,
                                                    const WorkerIdentity& identity)
{
    if (config->dialect == Dialect::preload)
        return std::make_shared<PreloadLink>(executor_, std::move(config), identity, dispatcher_,
                                             listeners_.addresses());
    return std::make_shared<NativeLink>(executor_, identity, dispatcher_,
                                        std::make_unique<HandoffChannel>(config->max_queue));
}

void DispatchIntake::on_reclaimed(std::string_view worker, std::size_t reclaimed,
                                  std::size_t closed) noexcept
try {
    if (reclaimed > 0)
        events_.publish(
            EventKind::reclaimed, log::Level::info,
            fmt::format("{}: {} connections it had not taken went to others", worker, reclaimed));
    if (closed > 0)
        events_.publish(
            EventKind::reclaimed, log::Level::warning,
            fmt::format("{}: {} connections closed, because {} workers ended before taking "
                        "them",
                        worker, closed, ReclaimQueue::most_reclaims));
} catch (const std::bad_alloc&) { // then nobody hears of it
}

} // namespace usher
