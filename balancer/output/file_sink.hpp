// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/config.hpp"
#include "balancer/events/event_source.hpp"
#include "balancer/output/file_writer.hpp"
#include "balancer/output/loss_report.hpp"
#include "balancer/output/output_sink.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstdint>
#include <memory>
#include <string>

namespace usher {

/// The lines of a pool's workers on their way to a file.
///
/// Lives as a shared pointer, because words from the writer's thread may be under way.
class FileSink final : public OutputSink,
                       private FileWriter::Observer,
                       public std::enable_shared_from_this<FileSink> {
public:
    /// Opens the file; throws std::system_error.  Publishes what is lost, also from close() on.
    FileSink(const boost::asio::any_io_executor& executor, const OutputConfig& config,
             FileWriter& writer, EventBus& events);

    [[nodiscard]] bool has_room() override;
    [[nodiscard]] Condition& room() noexcept override { return room_; }
    void write(std::string_view lines) override;

    /// How many lines did not arrive.
    [[nodiscard]] std::uint64_t lost_lines() const noexcept { return losses_.total(); }

    /// Another way to write to the same file.
    void set_config(const OutputConfig& config);

    /// True if nothing is left to be written; the writer knows this sink no longer then.
    [[nodiscard]] bool detach();

    /// Has what was lost and not yet said published, and no timer left.
    void close();

private:
    void on_room() noexcept override;
    void on_failure(std::size_t lines, std::error_code error) noexcept override;

    void on_loss(std::size_t lines, std::string reason);
    void report();
    void publish_losses();

    boost::asio::any_io_executor executor_;
    OutputConfig config_;
    FileWriter& writer_;
    EventSource events_;
    Condition room_;
    LossReport losses_;
    std::string reason_; ///< of the last loss
    boost::asio::steady_timer report_timer_;
    bool closed_ = false;
    std::shared_ptr<FileWriter::File> file_;
};

} // namespace usher
