// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/config.hpp"
#include "balancer/events/event_source.hpp"
#include "balancer/output/loss_report.hpp"
#include "common/async/condition.hpp"
#include "common/async/line_writer.hpp"

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
class LineSink final : public LineWriter::Observer, public std::enable_shared_from_this<LineSink> {
public:
    using OnFull = OutputConfig::OnFull;

    /// How many bytes may wait before there is no room.
    static constexpr std::size_t limit = 1024UL * 1024;

    /// `writer` must live until its last line; `where` is how the log calls it.
    LineSink(const boost::asio::any_io_executor& executor, LineWriter& writer, std::string where,
             EventBus& events);

    /// False if nothing further should be read now; room() is notified when that has changed.
    [[nodiscard]] bool has_room(OnFull on_full)
    {
        return on_full == OnFull::drop || writer_.room_or_tell(limit);
    }
    [[nodiscard]] Condition& room() noexcept { return room_; }

    /// Takes whole lines.  What dead workers left behind is not asked whether it fits: then more
    /// may wait, unless it is to `drop`.
    void write(std::string_view lines, OnFull on_full);

    /// How many lines did not arrive.
    [[nodiscard]] std::uint64_t lost_lines() const noexcept { return losses_.total(); }

    /// Publishes what was not said yet, and what is lost from now on at once; leaves no timer.
    void close();

private:
    void on_loss(std::uint64_t lines, std::string reason);
    void report();
    // NOLINTBEGIN(bugprone-exception-escape): without memory to tell the loop, the master ends
    void on_room() noexcept override;
    void on_failure(std::size_t lines, std::error_code error) noexcept override;
    // NOLINTEND(bugprone-exception-escape)

    boost::asio::any_io_executor executor_;
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
