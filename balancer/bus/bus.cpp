// SPDX-License-Identifier: MIT
#include "balancer/bus/bus.hpp"

#include <boost/asio/post.hpp>

#include <utility>

namespace asio = boost::asio;

namespace usher {

Bus::Bus(const asio::any_io_executor& executor, std::string group,
         std::shared_ptr<StoreKeeper> keeper)
    : executor_{executor},
      keeper_{std::move(keeper)},
      router_{std::move(group), keeper_->store(),
              [this](Store::Command command, StoreKeeper::Done done) {
                  // Who answers later must still find the router.
                  keeper_->submit(std::move(command),
                                  [self = shared_from_this(), done = std::move(done)](
                                      Store::Answer answer) { done(std::move(answer)); });
              }},
      deadline_{executor}
{
}

void Bus::settle()
{
    router_.flush();
    wait_for_deadline();
}

void Bus::settle_soon()
{
    if (std::exchange(is_settling_, true))
        return;
    asio::post(executor_, [self = shared_from_this()] {
        self->is_settling_ = false;
        self->settle();
    });
}

void Bus::wait_for_deadline()
{
    const auto next = router_.next_deadline();
    if (!next) {
        if (deadline_.expiry() != asio::steady_timer::time_point{}) {
            deadline_.cancel();
            deadline_.expires_at({});
        }
        return;
    }
    if (deadline_.expiry() == *next)
        return;
    deadline_.expires_at(*next);
    deadline_.async_wait([self = shared_from_this()](const boost::system::error_code& cancelled) {
        if (cancelled)
            return;
        self->deadline_.expires_at({});
        self->router_.advance(BusRouter::Clock::now());
        self->settle();
    });
}

void Bus::end_outside()
{
    router_.end_outside();
    settle_soon();
}

void Bus::close()
{
    deadline_.cancel();
    keeper_->close();
}

} // namespace usher
