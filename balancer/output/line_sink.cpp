// SPDX-License-Identifier: MIT
#include "balancer/output/line_sink.hpp"

#include "common/text/counted.hpp"

#include <boost/asio/post.hpp>
#include <fmt/core.h>

#include <algorithm>
#include <utility>

namespace asio = boost::asio;

namespace usher {

LineSink::LineSink(const asio::any_io_executor& executor, LineWriter& writer, std::string where,
                   EventBus& events)
    : executor_{executor},
      writer_{writer},
      where_{std::move(where)},
      events_{events},
      next_report_{executor}
{
}

void LineSink::write(std::string_view lines, OnFull on_full)
{
    if (!writer_.write(lines, on_full == OnFull::drop ? limit : LineWriter::most_waiting))
        on_loss(static_cast<std::uint64_t>(std::ranges::count(lines, '\n')),
                "it takes them too slowly");
}

// NOLINTBEGIN(bugprone-exception-escape): without memory to tell the loop, the master ends
void LineSink::on_room() noexcept
{
    asio::post(executor_, [weak = weak_from_this()] {
        if (const auto self = weak.lock())
            self->room_.notify_all();
    });
}

void LineSink::on_failure(std::size_t lines, std::error_code error) noexcept
{
    asio::post(executor_, [self = shared_from_this(), lines, error] {
        self->on_loss(lines, error.message());
    });
}
// NOLINTEND(bugprone-exception-escape)

void LineSink::on_loss(std::uint64_t lines, std::string reason)
{
    losses_.on_loss(lines);
    reason_ = std::move(reason);
    report();
}

void LineSink::close()
{
    closed_ = true;
    next_report_.cancel();
    report();
}

/// Publishes now what is due, and later what is due then.
void LineSink::report()
{
    const auto due = losses_.due();
    if (!due)
        return;
    const auto now = LossReport::Clock::now();
    if (!closed_ && *due > now) {
        next_report_.expires_at(*due);
        next_report_.async_wait(
            [weak = weak_from_this()](const boost::system::error_code& cancelled) {
                const auto self = weak.lock();
                if (!cancelled && self)
                    self->report();
            });
        return;
    }
    const auto lines = losses_.take(now);
    events_.publish(EventKind::output_lost, log::Level::error,
                    lines == 0 ? fmt::format("output to {}: {}", where_, reason_)
                               : fmt::format("output to {}: {} lost, {} in all: {}", where_,
                                             counted(lines, "line"), losses_.total(), reason_));
}

} // namespace usher
