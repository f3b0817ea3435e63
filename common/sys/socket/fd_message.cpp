// SPDX-License-Identifier: MIT
#include "common/sys/socket/fd_message.hpp"

#include "common/sys/socket/bound_socket.hpp"
#include "common/sys/syscall.hpp"

#include <array>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/uio.h>

namespace usher::sys {

namespace {

std::error_code send(int socket, std::span<const std::byte> bytes, std::span<const int> fds,
                     int flags, std::size_t& sent) noexcept
{
    assert(!bytes.empty());
    assert(fds.size() <= max_fds_per_message);

    iovec iov{.iov_base = const_cast<std::byte*>(bytes.data()), .iov_len = bytes.size()};
    msghdr header{};
    header.msg_iov = &iov;
    header.msg_iovlen = 1;

    alignas(cmsghdr) std::byte control[CMSG_SPACE(max_fds_per_message * sizeof(int))];
    if (!fds.empty()) {
        header.msg_control = control;
        header.msg_controllen = CMSG_SPACE(fds.size_bytes());
        std::memset(control, 0, header.msg_controllen); // only what is sent: this path is hot

        cmsghdr* const c = CMSG_FIRSTHDR(&header);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(fds.size_bytes());
        std::memcpy(CMSG_DATA(c), fds.data(), fds.size_bytes());
    }

    const auto rc =
        retry_on_eintr([&] { return ::sendmsg(socket, &header, flags | MSG_NOSIGNAL); });
    if (rc < 0)
        return last_error();
    sent = static_cast<std::size_t>(rc);
    return {};
}

#ifndef SCM_PIDFD
constexpr int SCM_PIDFD = 4; // NOLINT(readability-identifier-naming): since Linux 6.5
#endif

/// Takes ownership of every descriptor in `header`, for which there is room: one that is lost to an
/// exception here could never be closed.
void adopt(msghdr& header, FdMessage& message) noexcept
{
    message.sender = {.pid = 0, .uid = static_cast<uid_t>(-1), .gid = static_cast<gid_t>(-1)};
    for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
        if (c->cmsg_level != SOL_SOCKET)
            continue;
        if (c->cmsg_type == SCM_CREDENTIALS && c->cmsg_len >= CMSG_LEN(sizeof message.sender))
            std::memcpy(&message.sender, CMSG_DATA(c), sizeof message.sender);
        // A worker that shares the open file may have asked for the second, SO_PASSPIDFD.
        if (c->cmsg_type != SCM_RIGHTS && c->cmsg_type != SCM_PIDFD)
            continue;
        const std::size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (const int fd : std::span{reinterpret_cast<const int*>(CMSG_DATA(c)), count}) {
            UniqueFd own{fd};
            if (c->cmsg_type == SCM_RIGHTS)
                message.fds.push_back(std::move(own));
        }
    }
}

std::error_code receive(int socket, std::span<std::byte> buffer, std::span<std::byte> control,
                        int flags, FdMessage& message) noexcept
{
    message.size = 0;
    message.fds.clear();
    message.fds_dropped = message.is_cut = false;

    iovec iov{.iov_base = buffer.data(), .iov_len = buffer.size()};
    msghdr header{};
    header.msg_iov = &iov;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();

    // Whether the socket blocks is a property of the open file, which another process may share
    // and change: a worker must not be able to stop the master.
    const auto receive_one = [&] {
        return retry_on_eintr(
            [&] { return ::recvmsg(socket, &header, flags | MSG_CMSG_CLOEXEC | MSG_DONTWAIT); });
    };
    auto received = receive_one();
    // That a peer was closed with something unread is told once, and of packets before what it had
    // sent (unix_release_sock() in the kernel).
    if (received < 0 && errno == ECONNRESET && socket_option(socket, SO_TYPE) != SOCK_STREAM)
        received = receive_one();
    if (received < 0)
        return last_error();

    adopt(header, message); // before any check, so that every path closes them
    message.size = static_cast<std::size_t>(received);
    message.fds_dropped = (header.msg_flags & MSG_CTRUNC) != 0;
    message.is_cut = (header.msg_flags & MSG_TRUNC) != 0;
    return {};
}

} // namespace

std::error_code send_with_fds(int socket, std::span<const std::byte> payload,
                              std::span<const int> fds) noexcept
{
    std::size_t sent = 0;
    return send(socket, payload, fds, 0, sent);
}

std::error_code send_stream(int socket, std::span<const std::byte> bytes, int fd,
                            std::size_t& sent) noexcept
{
    sent = 0;
    // Whether the socket blocks is a property of the open file, which the worker shares.
    return send(socket, bytes, std::span{&fd, fd >= 0 ? 1U : 0U}, MSG_DONTWAIT, sent);
}

bool is_back_pressure(std::error_code error) noexcept
{
    return error == std::errc::operation_would_block || error == std::errc::no_buffer_space ||
           error == std::errc::not_enough_memory ||
           error == std::error_code{ETOOMANYREFS, std::system_category()};
}

std::error_code recv_with_fds(int socket, std::span<std::byte> buffer, FdMessage& message)
{
    message.fds.reserve(max_fds_per_message); // may throw, so before there is anything to lose
    // Room for the largest message, so only RLIMIT_NOFILE can make the kernel drop one.
    alignas(cmsghdr) std::byte
        control[CMSG_SPACE(sizeof(ucred)) + CMSG_SPACE(max_fds_per_message * sizeof(int))];
    return receive(socket, buffer, control, 0, message);
}

std::error_code recv_without_fds(int socket, std::span<std::byte> buffer, FdMessage& message,
                                 int flags) noexcept
{
    // The sender comes first and fills this.  Without SO_PASSCRED there must be no room at all.
    alignas(cmsghdr) std::byte control[CMSG_SPACE(sizeof(ucred))];
    int tells_sender = 0;
    socklen_t size = sizeof tells_sender;
    ::getsockopt(socket, SOL_SOCKET, SO_PASSCRED, &tells_sender, &size);
    return receive(socket, buffer, std::span{control}.first(tells_sender != 0 ? sizeof control : 0),
                   flags, message);
}

void reset_receiving(int socket) noexcept
{
#ifndef SO_PASSPIDFD
    constexpr int SO_PASSPIDFD = 76; // NOLINT(readability-identifier-naming)
#endif
    for (const auto& [option, value] : {std::pair{SO_PEEK_OFF, -1}, std::pair{SO_PASSCRED, 0},
                                        std::pair{SO_PASSSEC, 0}, std::pair{SO_PASSPIDFD, 0}})
        ::setsockopt(socket, SOL_SOCKET, option, &value, sizeof value);
}

bool is_end(int socket, const FdMessage& message) noexcept
{
    const bool has_sender = message.sender.uid != static_cast<uid_t>(-1);
    return message.size == 0 && !message.fds_dropped &&
           (socket_option(socket, SO_TYPE) == SOCK_STREAM || !has_sender);
}

bool refuse_fds(int socket) noexcept
{
#ifndef SO_PASSRIGHTS
    constexpr int SO_PASSRIGHTS = 83; // NOLINT(readability-identifier-naming)
#endif
    const int off = 0;
    return ::setsockopt(socket, SOL_SOCKET, SO_PASSRIGHTS, &off, sizeof off) == 0;
}

std::error_code peek_message(int socket, std::span<std::byte> buffer, std::size_t& size) noexcept
{
    size = 0;

    // recv() offers no room for descriptors, so the kernel installs none while peeking.
    const auto received = retry_on_eintr(
        [&] { return ::recv(socket, buffer.data(), buffer.size(), MSG_PEEK | MSG_DONTWAIT); });
    if (received < 0)
        return last_error();
    size = static_cast<std::size_t>(received);
    return {};
}

bool has_fd_headroom(int fd, std::size_t count) noexcept
{
    assert(count <= max_fds_per_message);

    std::array<UniqueFd, max_fds_per_message> probes;
    for (std::size_t i = 0; i < count; ++i) {
        probes[i].reset(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
        if (!probes[i])
            return false;
    }
    return true;
}

} // namespace usher::sys
