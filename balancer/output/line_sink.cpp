// SPDX-License-Identifier: MIT
#include "balancer/output/line_sink.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <utility>

namespace asio = boost::asio;

namespace usher {

LineSink::LineSink(const asio::any_io_executor& executor, OutputConfig::OnFull on_full,
                   LineWriter& writer, std::string where, EventBus& events)
    : executor_{executor},
      on_full_{on_full},
      writer_{writer},
      room_{executor},
      losses_{std::make_shared<LossReporter>(executor, events, std::move(where))}
{
}

bool LineSink::has_room()
{
    return on_full_ == OutputConfig::OnFull::drop || writer_.room_or_tell(sink_limit);
}

void LineSink::write(std::string_view lines)
{
    const bool drop = on_full_ == OutputConfig::OnFull::drop;
    if (!writer_.write(lines, drop ? sink_limit : sink_hard_limit))
        losses_->on_loss(static_cast<std::uint64_t>(std::ranges::count(lines, '\n')),
                         "it takes them too slowly");
}

void LineSink::set_on_full(OutputConfig::OnFull on_full)
{
    on_full_ = on_full;
    room_.notify_all();
}

void LineSink::on_room() noexcept
{
    asio::post(executor_, [weak = weak_from_this()] {
        if (const auto self = weak.lock())
            self->room_.notify_all();
    });
}

void LineSink::on_failure(std::size_t lines, std::error_code error) noexcept
{
    asio::post(executor_,
               [losses = losses_, lines, error] { losses->on_loss(lines, error.message()); });
}

} // namespace usher
