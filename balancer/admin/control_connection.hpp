// SPDX-License-Identifier: MIT
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include <sys/types.h>

namespace usher {

/// The client's end of a control socket, which waits with one deadline for all that it waits for.
///
/// Everything throws std::system_error, std::errc::timed_out at the deadline.
class ControlConnection {
public:
    /// Connects; the deadline is when `limit` is over from now on, if there is one.
    ControlConnection(const std::string& path, std::optional<std::chrono::milliseconds> limit);

    /// Whose process listens there.
    [[nodiscard]] uid_t master_user() const noexcept { return master_user_; }

    /// A master that hangs up meanwhile is no error: what it said before that says why.
    void send(std::string_view text);

    /// The next line without its end, of 64 MiB at most; nothing at the end of the stream.
    [[nodiscard]] std::optional<std::string> next_line();

    /// Waits until the master's process has ended, if it can be seen from here.
    void wait_for_master_end();

private:
    using Clock = std::chrono::steady_clock;

    void finish();

    Clock::time_point deadline_;
    boost::asio::io_context io_{1};
    boost::asio::local::stream_protocol::socket socket_{io_};
    uid_t master_user_ = ~uid_t{0};
    boost::asio::posix::stream_descriptor master_{io_}; ///< a pidfd; closed where there is none
    std::string buffer_;
};

} // namespace usher
