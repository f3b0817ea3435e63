// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/config.hpp"
#include "balancer/events/event_bus.hpp"
#include "balancer/output/file_sink.hpp"
#include "balancer/output/file_writer.hpp"
#include "balancer/output/output_reader.hpp"
#include "balancer/output/stderr_sink.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace usher {

/// Where the output of the master's workers goes: its standard error, and the files of the pools.
class Outputs {
public:
    Outputs(const boost::asio::any_io_executor& executor, EventBus& events);

    /// Pipes for a worker, whose lines go where `config` says with `name` before them; null if it
    /// is to inherit ours.  Throws std::system_error, e.g. if the file cannot be opened.
    [[nodiscard]] std::shared_ptr<OutputReader> connect(const OutputConfig& config,
                                                        const std::string& name);

    /// How many lines of workers were lost on their way to our standard error, and to `file`.
    [[nodiscard]] std::uint64_t lost_lines() const noexcept { return stderr_->lost_lines(); }
    [[nodiscard]] std::uint64_t lost_lines(const std::string& file) const noexcept;

    /// Opens every file anew, since somebody has renamed them.
    void reopen();

    /// No worker is left: writes what waits.
    void close();

private:
    [[nodiscard]] std::shared_ptr<FileSink> file_sink(const OutputConfig& config);

    boost::asio::any_io_executor executor_;
    EventBus& events_;
    std::shared_ptr<StderrSink> stderr_;
    std::map<std::string, std::shared_ptr<FileSink>> files_;
    std::optional<FileWriter> writer_; // the thread ends before what it calls
};

} // namespace usher
