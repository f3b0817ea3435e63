// SPDX-License-Identifier: MIT
#include "balancer/output/loss_reporter.hpp"

#include <fmt/core.h>

#include <utility>

namespace usher {

LossReporter::LossReporter(const boost::asio::any_io_executor& executor, EventBus& events,
                           std::string where)
    : where_{std::move(where)}, events_{events}, timer_{executor}
{
}

void LossReporter::on_loss(std::uint64_t lines, std::string reason)
{
    losses_.on_loss(lines);
    reason_ = std::move(reason);
    report();
}

void LossReporter::close()
{
    closed_ = true;
    timer_.cancel();
    report();
}

/// Publishes now what is due, and later what is due then.
void LossReporter::report()
{
    const auto due = losses_.due();
    if (!due)
        return;
    if (closed_ || *due <= LossReport::Clock::now())
        return publish();

    timer_.expires_at(*due);
    timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& cancelled) {
        const auto self = weak.lock();
        if (!cancelled && self)
            self->report();
    });
}

void LossReporter::publish()
{
    const auto lines = losses_.take(LossReport::Clock::now());
    events_.publish(EventKind::output_lost, log::Level::error,
                    lines == 0 ? fmt::format("output to {}: {}", where_, reason_)
                               : fmt::format("output to {}: {} lines lost, {} in all: {}", where_,
                                             lines, losses_.total(), reason_));
}

} // namespace usher
