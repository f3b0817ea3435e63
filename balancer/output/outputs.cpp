// SPDX-License-Identifier: MIT
#include "balancer/output/outputs.hpp"

#include <stdexcept>
#include <utility>

#include <unistd.h>

namespace asio = boost::asio;

namespace usher {

Outputs::Outputs(const asio::any_io_executor& executor, EventBus& events)
    : executor_{executor},
      events_{events},
      stderr_{std::make_shared<StderrSink>(executor, STDERR_FILENO)},
      writer_{std::in_place}
{
}

std::shared_ptr<OutputReader> Outputs::connect(const OutputConfig& config, const std::string& name)
{
    if (config.kind == OutputConfig::Kind::inherit)
        return nullptr;
    std::shared_ptr<OutputSink> sink = stderr_;
    if (config.kind == OutputConfig::Kind::file)
        sink = file_sink(config);
    return std::make_shared<OutputReader>(executor_, std::move(sink),
                                          config.prefix ? "[" + name + "] " : "");
}

std::shared_ptr<FileSink> Outputs::file_sink(const OutputConfig& config)
{
    if (!writer_)
        throw std::logic_error{"the outputs are closed"};

    // Files of earlier configurations, to which nobody writes any more.
    std::erase_if(files_, [&](const auto& entry) {
        const auto& [path, sink] = entry;
        if (path == config.file || sink.use_count() > 1 || !sink->detach())
            return false;
        sink->close();
        return true;
    });

    const auto found = files_.find(config.file);
    if (found != files_.end()) {
        found->second->set_config(config);
        return found->second;
    }
    auto sink = std::make_shared<FileSink>(executor_, config, *writer_, events_);
    files_.emplace(config.file, sink);
    return sink;
}

std::uint64_t Outputs::lost_lines(const std::string& file) const noexcept
{
    const auto found = files_.find(file);
    return found == files_.end() ? 0 : found->second->lost_lines();
}

void Outputs::reopen()
{
    if (writer_)
        writer_->reopen();
}

void Outputs::close()
{
    stderr_->close();
    writer_.reset();
    for (const auto& [path, sink] : files_)
        sink->close();
}

} // namespace usher
