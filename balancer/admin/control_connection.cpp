// SPDX-License-Identifier: MIT
#include "balancer/admin/control_connection.hpp"

#include "common/async/adopt_fd.hpp"
#include "common/sys/process/pidfd.hpp"
#include "common/sys/socket/socket_address.hpp"
#include "common/sys/syscall.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>

#include <system_error>

#include <sys/socket.h>
#include <sys/time.h>

namespace asio = boost::asio;

namespace usher {

using boost::system::error_code;

namespace {

constexpr std::size_t longest_line = std::size_t{64} << 20;

} // namespace

ControlConnection::ControlConnection(const std::string& path,
                                     std::optional<std::chrono::milliseconds> limit)
    : deadline_{limit ? Clock::now() + *limit : Clock::time_point::max()}
{
    const auto address = sys::SocketAddress::unix_path(path);
    socket_.open();
    // A master that stands still accepts nobody, and when its backlog is full connect() waits.
    const auto most = limit.value_or(std::chrono::milliseconds{0}); // 0: as long as it takes
    const timeval value{.tv_sec = most.count() / 1000, .tv_usec = most.count() % 1000 * 1000};
    const int fd = socket_.native_handle();
    if (::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &value, sizeof value) < 0)
        sys::throw_last_error("setsockopt");
    if (sys::retry_on_eintr([&] { return ::connect(fd, address.data(), address.size()); }) < 0) {
        const auto error = sys::last_error();
        throw std::system_error{error == std::errc::resource_unavailable_try_again
                                    ? std::make_error_code(std::errc::timed_out)
                                    : error,
                                "connect"};
    }
    ucred peer{};
    socklen_t size = sizeof peer;
    if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
        sys::throw_last_error("getsockopt");
    master_user_ = peer.uid;
    try {
        master_ = adopt_fd<asio::posix::stream_descriptor>(io_, sys::open_pidfd(peer.pid));
    } catch (
        const std::system_error&) { // it is in a world of its own (a container's), or has ended
    }
}

/// Waits until what was started is over.
void ControlConnection::finish()
{
    io_.restart();
    io_.run_until(deadline_);
    if (!io_.stopped())
        throw std::system_error{std::make_error_code(std::errc::timed_out)};
}

void ControlConnection::send(std::string_view text)
{
    asio::async_write(socket_, asio::buffer(text), [](const error_code&, std::size_t) {});
    finish();
}

std::optional<std::string> ControlConnection::next_line()
{
    error_code error;
    std::size_t size = 0;
    asio::async_read_until(socket_, asio::dynamic_buffer(buffer_, longest_line), '\n',
                           [&](const error_code& result, std::size_t end) {
                               error = result;
                               size = end;
                           });
    finish();
    if (error == asio::error::eof ||
        error == asio::error::connection_reset) // it ended with something of ours unread
        return std::nullopt;
    if (error == asio::error::not_found)
        throw std::system_error{std::make_error_code(std::errc::message_size)};
    if (error)
        throw std::system_error{error};
    auto line = buffer_.substr(0, size - 1);
    buffer_.erase(0, size);
    return line;
}

void ControlConnection::wait_for_master_end()
{
    if (!master_.is_open())
        return;
    master_.async_wait(asio::posix::stream_descriptor::wait_read, [](const error_code&) {});
    finish();
}

} // namespace usher
