// SPDX-License-Identifier: MIT
#pragma once

#include "common/sys/fd/unique_fd.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include <sys/types.h>

namespace usher {

/// The client's end of a control socket, blocking, with one deadline for all that it waits for.
///
/// Everything throws std::system_error, std::errc::timed_out at the deadline.
class ControlConnection {
public:
    /// Connects; the deadline is when `limit` is over from now on, if there is one.
    ControlConnection(const std::string& path, std::optional<std::chrono::milliseconds> limit);

    /// Whose process listens there.
    [[nodiscard]] uid_t master_user() const noexcept { return master_user_; }

    void send(std::string_view text);

    /// The next line without its end, of 64 MiB at most; nothing at the end of the stream.
    [[nodiscard]] std::optional<std::string> next_line();

    /// Waits until the master's process has ended, if it can be seen from here.
    void wait_for_master_end();

private:
    using Clock = std::chrono::steady_clock;

    [[nodiscard]] std::optional<std::chrono::milliseconds> time_left() const;
    void await(int fd, short events) const;

    std::optional<Clock::time_point> deadline_;
    sys::UniqueFd socket_;
    uid_t master_user_ = ~uid_t{0};
    sys::UniqueFd master_; ///< a pidfd; empty where it cannot be had
    std::string buffer_;
};

} // namespace usher
