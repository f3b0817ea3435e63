// SPDX-License-Identifier: MIT
#include "balancer/output/outputs.hpp"

#include <stdexcept>

namespace asio = boost::asio;

namespace usher {

namespace {

LogFile::Limits limits_of(const OutputConfig& config) noexcept
{
    return {.max_size = config.max_size, .max_files = config.max_files};
}

} // namespace

/// A disk may be slow, and what nobody reads of a FIFO is not worth waiting for.
Outputs::File::File(const asio::any_io_executor& executor, const OutputConfig& config,
                    EventBus& events)
    : file{std::make_shared<LogFile>(config.file, limits_of(config))},
      sink{std::make_shared<LineSink>(executor, writer, config.file, events)},
      writer{file, std::chrono::seconds{file->is_regular() ? 5 : 1}}
{
    writer.observe(sink.get());
}

Outputs::Outputs(const asio::any_io_executor& executor, LineWriter& standard_error,
                 EventBus& events)
    : executor_{executor},
      standard_error_{standard_error},
      events_{events},
      errors_sink_{std::make_shared<LineSink>(executor, standard_error, "standard error", events)}
{
    standard_error.observe(errors_sink_.get());
}

std::shared_ptr<OutputReader> Outputs::connect(const OutputConfig& config, const std::string& name,
                                               bool stranger)
{
    if (config.kind == OutputConfig::Kind::inherit)
        return nullptr;
    return std::make_shared<OutputReader>(
        executor_, sink_of(config), config.prefix ? "[" + name + "] " : "", config.on_full,
        stranger && config.kind == OutputConfig::Kind::standard_error);
}

std::shared_ptr<LineSink> Outputs::sink_of(const OutputConfig& config)
{
    if (config.kind == OutputConfig::Kind::standard_error)
        return errors_sink_;
    if (closed_)
        throw std::logic_error{"the outputs are closed"};

    // Files of earlier configurations, to which nobody writes any more.
    std::erase_if(files_, [&](const auto& entry) {
        const auto& [path, file] = entry;
        if (path == config.file || file.sink.use_count() > 1 || !file.writer.is_idle())
            return false;
        file.sink->close();
        return true;
    });

    const auto [place, is_new] =
        files_.try_emplace(config.file, executor_, config, events_); // opens it
    auto& [file, sink, writer] = place->second;
    if (!is_new)
        writer.post([file = file, limits = limits_of(config)] {
            file->set_limits(limits);
            return std::error_code{};
        });
    return sink;
}

std::uint64_t Outputs::lost_lines(const std::string& file) const noexcept
{
    const auto found = files_.find(file);
    return found == files_.end() ? 0 : found->second.sink->lost_lines();
}

void Outputs::reopen()
{
    for (auto& [path, entry] : files_)
        entry.writer.post([file = entry.file] { return file->reopen(); });
}

void Outputs::close()
{
    closed_ = true;
    const auto now = LineWriter::Clock::now();
    for (auto& [path, file] : files_)
        file.writer.finish(now);
    for (auto& [path, file] : files_)
        file.sink->close();
    errors_sink_->close();
}

} // namespace usher
