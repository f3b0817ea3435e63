// SPDX-License-Identifier: MIT
#include "balancer/dialect/none/none_link.hpp"

#include <utility>

namespace asio = boost::asio;

namespace usher {

NoneLink::NoneLink(const asio::any_io_executor& executor,
                   std::shared_ptr<const ResolvedPool> config)
    : config_{std::move(config)}, timer_{executor}
{
}

void NoneLink::start(pid_t /*process*/, Observer& observer)
{
    observer_ = &observer;
    observer.on_online();
    if (config_->ready == Readiness::notify)
        return;
    timer_.expires_after(config_->start_delay.value_or(PoolConfig::default_start_delay));
    timer_.async_wait([self = shared_from_this()](const boost::system::error_code& cancelled) {
        if (!cancelled && self->observer_ != nullptr)
            self->observer_->on_ready();
    });
}

void NoneLink::finish()
{
    observer_ = nullptr;
    timer_.cancel();
}

} // namespace usher
