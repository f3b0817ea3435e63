// SPDX-License-Identifier: MIT
#include "balancer/admin/control_connection.hpp"

#include "common/sys/process/pidfd.hpp"
#include "common/sys/socket/socket_address.hpp"
#include "common/sys/syscall.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <system_error>

#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>

namespace usher {

namespace {

constexpr std::size_t longest_line = std::size_t{64} << 20;

/// The process that listens, by its pidfd; empty if it is in a world of its own (a container's) or
/// has ended already.
sys::UniqueFd open_peer(pid_t pid) noexcept
{
    if (pid <= 0)
        return {};
    try {
        return sys::open_pidfd(pid);
    } catch (const std::system_error&) {
        return {};
    }
}

} // namespace

ControlConnection::ControlConnection(const std::string& path,
                                     std::optional<std::chrono::milliseconds> limit)
    : socket_{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)}
{
    if (limit)
        deadline_ = Clock::now() + *limit;
    const auto address = sys::SocketAddress::unix_path(path);
    if (!socket_)
        sys::throw_last_error("socket");
    // A master that stands still accepts nobody, and when its backlog is full connect() waits.
    if (const auto left = time_left()) {
        const timeval value{.tv_sec = left->count() / 1000, .tv_usec = left->count() % 1000 * 1000};
        if (::setsockopt(socket_.get(), SOL_SOCKET, SO_SNDTIMEO, &value, sizeof value) < 0)
            sys::throw_last_error("setsockopt");
    }
    if (sys::retry_on_eintr(
            [&] { return ::connect(socket_.get(), address.data(), address.size()); }) < 0) {
        const auto error = sys::last_error();
        throw std::system_error{error == std::errc::resource_unavailable_try_again
                                    ? std::make_error_code(std::errc::timed_out)
                                    : error,
                                "connect"};
    }
    ucred peer{};
    socklen_t size = sizeof peer;
    if (::getsockopt(socket_.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
        sys::throw_last_error("getsockopt");
    master_user_ = peer.uid;
    master_ = open_peer(peer.pid);
}

std::optional<std::chrono::milliseconds> ControlConnection::time_left() const
{
    if (!deadline_)
        return std::nullopt;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*deadline_ - Clock::now());
    if (left <= left.zero())
        throw std::system_error{std::make_error_code(std::errc::timed_out)};
    return left;
}

/// Waits until one of `events` has come to `fd`, or it has ended.
void ControlConnection::await(int fd, short events) const
{
    pollfd entry{.fd = fd, .events = events, .revents = 0};
    for (int ready = 0; ready == 0;) {
        const auto left = time_left();
        const int limit =
            left ? static_cast<int>(std::min<std::int64_t>(left->count(), 60'000)) : -1;
        ready = sys::retry_on_eintr([&] { return ::poll(&entry, 1, limit); });
        if (ready < 0)
            sys::throw_last_error("poll");
    }
}

void ControlConnection::send(std::string_view text)
{
    while (!text.empty()) {
        await(socket_.get(), POLLOUT);
        const auto sent = sys::retry_on_eintr([&] {
            return ::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        });
        if (sent < 0 && errno != EAGAIN)
            sys::throw_last_error("send");
        text.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(sent, 0)));
    }
}

std::optional<std::string> ControlConnection::next_line()
{
    for (;;) {
        if (const auto end = buffer_.find('\n'); end != std::string::npos) {
            auto line = buffer_.substr(0, end);
            buffer_.erase(0, end + 1);
            return line;
        }
        if (buffer_.size() > longest_line)
            throw std::system_error{std::make_error_code(std::errc::message_size)};
        await(socket_.get(), POLLIN);
        std::array<char, 4096> chunk;
        const auto size = sys::retry_on_eintr(
            [&] { return ::recv(socket_.get(), chunk.data(), chunk.size(), 0); });
        if (size == 0 ||
            (size < 0 && errno == ECONNRESET)) // it ended with something of ours unread
            return std::nullopt;
        if (size < 0)
            sys::throw_last_error("recv");
        buffer_.append(chunk.data(), static_cast<std::size_t>(size));
    }
}

void ControlConnection::wait_for_master_end()
{
    if (master_)
        await(master_.get(), POLLIN);
}

} // namespace usher
