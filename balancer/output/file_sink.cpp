// SPDX-License-Identifier: MIT
#include "balancer/output/file_sink.hpp"

#include <boost/asio/post.hpp>
#include <fmt/core.h>

#include <algorithm>
#include <utility>

namespace asio = boost::asio;

namespace usher {

namespace {

LogFile::Limits limits_of(const OutputConfig& config) noexcept
{
    return {.max_size = config.max_size, .max_files = config.max_files};
}

} // namespace

FileSink::FileSink(const asio::any_io_executor& executor, const OutputConfig& config,
                   FileWriter& writer, EventBus& events)
    : executor_{executor},
      config_{config},
      writer_{writer},
      events_{events},
      room_{executor},
      report_timer_{executor},
      file_{writer.add(LogFile{config.file, limits_of(config)}, *this)}
{
}

bool FileSink::has_room()
{
    return config_.on_full == OutputConfig::OnFull::drop ||
           writer_.room_or_tell(*file_, sink_limit);
}

void FileSink::write(std::string_view lines)
{
    const bool drop = config_.on_full == OutputConfig::OnFull::drop;
    if (!writer_.write(*file_, lines, drop ? sink_limit : sink_hard_limit))
        on_loss(static_cast<std::size_t>(std::ranges::count(lines, '\n')),
                "it takes them too slowly");
}

void FileSink::set_config(const OutputConfig& config)
{
    config_ = config;
    writer_.set_limits(*file_, limits_of(config));
    room_.notify_all();
}

bool FileSink::detach()
{
    return writer_.remove(file_);
}

void FileSink::close()
{
    closed_ = true;
    report_timer_.cancel();
    publish_losses();
}

void FileSink::on_room() noexcept
{
    asio::post(executor_, [weak = weak_from_this()] {
        if (const auto self = weak.lock())
            self->room_.notify_all();
    });
}

void FileSink::on_failure(std::size_t lines, std::error_code error) noexcept
{
    asio::post(executor_, [weak = weak_from_this(), lines, error] {
        if (const auto self = weak.lock())
            self->on_loss(lines, error.message());
    });
}

void FileSink::on_loss(std::size_t lines, std::string reason)
{
    losses_.on_loss(lines);
    reason_ = std::move(reason);
    report();
}

/// Publishes now what is due, and later what is due then.
void FileSink::report()
{
    const auto due = losses_.due();
    if (!due)
        return;
    if (closed_ || *due <= LossReport::Clock::now())
        return publish_losses();

    report_timer_.expires_at(*due);
    report_timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& cancelled) {
        const auto self = weak.lock();
        if (!cancelled && self)
            self->report();
    });
}

void FileSink::publish_losses()
{
    if (!losses_.due())
        return;
    const auto lines = losses_.take(LossReport::Clock::now());
    events_.publish(EventKind::output_lost, log::Level::error,
                    lines == 0 ? fmt::format("output to {}: {}", config_.file, reason_)
                               : fmt::format("output to {}: {} lines lost, {} in all: {}",
                                             config_.file, lines, losses_.total(), reason_));
}

} // namespace usher
