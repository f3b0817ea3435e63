// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/output/output_sink.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace usher {

/// The lines of workers on their way to a descriptor that is not ours alone: the master's standard
/// error, among its own log lines.
///
/// Who else has it may rely on it being blocking, so it stays so.  A pipe gets one atomic write at
/// a time, and only when that cannot block.
class StderrSink final : public OutputSink {
public:
    /// `fd` stays the caller's.
    StderrSink(const boost::asio::any_io_executor& executor, int fd);

    [[nodiscard]] bool has_room() override { return waiting() < sink_limit; }
    [[nodiscard]] Condition& room() noexcept override { return room_; }
    void write(std::string_view lines) override;

    /// How many lines did not arrive.
    [[nodiscard]] std::uint64_t lost_lines() const noexcept { return lost_lines_; }

    /// Writes what waits, however long it takes: the master's own last words would wait as well.
    void close();

private:
    [[nodiscard]] std::size_t waiting() const noexcept { return pending_.size() - written_; }
    [[nodiscard]] std::string_view next_piece() const noexcept;
    [[nodiscard]] bool is_writable(int timeout) const noexcept;
    [[nodiscard]] bool write_piece();
    void flush();
    void retry_later();

    int fd_;
    bool regular_;
    std::string pending_;
    std::size_t written_ = 0; ///< of `pending_`
    Condition room_;
    boost::asio::steady_timer retry_;
    bool retrying_ = false;
    std::uint64_t lost_lines_ = 0;
};

} // namespace usher
