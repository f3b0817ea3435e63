// SPDX-License-Identifier: MIT
#include "balancer/output/stderr_sink.hpp"

#include "common/sys/syscall.hpp"

#include <algorithm>
#include <chrono>
#include <climits>
#include <tuple>

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

namespace asio = boost::asio;

namespace usher {

namespace {

/// epoll refuses some of what standard error may be, and Asio would make the rest non-blocking.
constexpr std::chrono::milliseconds retry_interval{10};

bool is_regular(int fd) noexcept
{
    struct stat status {};
    return ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

} // namespace

StderrSink::StderrSink(const asio::any_io_executor& executor, int fd)
    : fd_{fd}, regular_{is_regular(fd)}, room_{executor}, retry_{executor}
{
}

void StderrSink::write(std::string_view lines)
{
    if (waiting() + lines.size() > sink_hard_limit) {
        // No event says so, because the log goes the same way.
        lost_lines_ += static_cast<std::uint64_t>(std::ranges::count(lines, '\n'));
        return;
    }
    pending_ += lines;
    if (!retrying_)
        flush();
}

void StderrSink::flush()
{
    while (waiting() > 0 && is_writable(0) && write_piece()) {
    }
    if (waiting() > 0)
        return retry_later();
    pending_.clear();
    written_ = 0;
}

void StderrSink::close()
{
    retry_.cancel();
    while (waiting() > 0 && is_writable(-1))
        std::ignore = write_piece();
}

bool StderrSink::is_writable(int timeout) const noexcept
{
    pollfd entry{.fd = fd_, .events = POLLOUT, .revents = 0};
    return sys::retry_on_eintr([&] { return ::poll(&entry, 1, timeout); }) > 0;
}

/// Whole lines, as many as a pipe takes at once: another's line cannot come in between.
std::string_view StderrSink::next_piece() const noexcept
{
    const auto rest = std::string_view{pending_}.substr(written_);
    if (regular_ || rest.size() <= PIPE_BUF)
        return rest;
    const auto end = rest.substr(0, PIPE_BUF).rfind('\n');
    return rest.substr(0, end == std::string_view::npos ? PIPE_BUF : end + 1);
}

/// False if it would have blocked, since others have made the descriptor non-blocking.
bool StderrSink::write_piece()
{
    const auto piece = next_piece();
    const auto written =
        sys::retry_on_eintr([&] { return ::write(fd_, piece.data(), piece.size()); });
    if (written < 0 && sys::last_error() == std::errc::operation_would_block)
        return false;
    // Standard error that is gone or full takes no complaint either.
    written_ += written > 0 ? static_cast<std::size_t>(written) : piece.size();
    return true;
}

void StderrSink::retry_later()
{
    pending_.erase(0, written_);
    written_ = 0;
    retrying_ = true;
    retry_.expires_after(retry_interval);
    retry_.async_wait([this](const boost::system::error_code& cancelled) {
        if (cancelled)
            return;
        retrying_ = false;
        const bool had_room = has_room();
        flush();
        if (!had_room && has_room())
            room_.notify_all();
    });
}

} // namespace usher
