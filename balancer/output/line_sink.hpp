// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/config.hpp"
#include "balancer/events/event_source.hpp"
#include "balancer/output/loss_report.hpp"
#include "balancer/output/output_sink.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>

namespace usher {

/// The lines of workers on their way to a LineWriter.  Publishes that some were lost, as LossReport
/// decides.
///
/// Lives as a shared pointer, because a word from the writer's thread may be under way, or a report
/// due later.
class LineSink final : public OutputSink,
                       public LineWriter::Observer,
                       public std::enable_shared_from_this<LineSink> {
public:
    /// `writer` must live until its last line; `where` is how the log calls it.
    LineSink(const boost::asio::any_io_executor& executor, OutputConfig::OnFull on_full,
             LineWriter& writer, std::string where, EventBus& events);

    [[nodiscard]] bool has_room() override;
    [[nodiscard]] Condition& room() noexcept override { return room_; }
    void write(std::string_view lines) override;

    /// How many lines did not arrive.
    [[nodiscard]] std::uint64_t lost_lines() const noexcept { return losses_.total(); }

    /// What becomes of lines that find no room from now on.
    void set_on_full(OutputConfig::OnFull on_full);

    /// Publishes what was not said yet, and what is lost from now on at once; leaves no timer.
    void close();

private:
    void on_loss(std::uint64_t lines, std::string reason);
    void report();
    void on_room() noexcept override;
    void on_failure(std::size_t lines, std::error_code error) noexcept override;

    boost::asio::any_io_executor executor_;
    OutputConfig::OnFull on_full_;
    LineWriter& writer_;
    Condition room_;
    std::string where_;
    EventSource events_;
    LossReport losses_;
    std::string reason_; ///< of the last loss
    boost::asio::steady_timer next_report_;
    bool closed_ = false;
};

} // namespace usher
