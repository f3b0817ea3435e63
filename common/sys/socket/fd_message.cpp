// SPDX-License-Identifier: MIT
#include "common/sys/socket/fd_message.hpp"

#include "common/sys/syscall.hpp"

#include <cassert>

#include <sys/socket.h>
#include <sys/uio.h>

namespace usher::sys {

std::error_code send_with_fds(int socket, std::span<const std::byte> payload,
                              std::span<const int> fds) noexcept
{
    assert(!payload.empty());
    assert(fds.size() <= max_fds_per_message);

    iovec iov{.iov_base = const_cast<std::byte*>(payload.data()), .iov_len = payload.size()};
    msghdr header{};
    header.msg_iov = &iov;
    header.msg_iovlen = 1;

    alignas(cmsghdr) std::byte control[control_space(max_fds_per_message)];
    attach_fds(header, control, fds);

    const auto sent = retry_on_eintr([&] { return ::sendmsg(socket, &header, MSG_NOSIGNAL); });
    return sent < 0 ? last_error() : std::error_code{};
}

std::error_code recv_with_fds(int socket, std::span<std::byte> buffer, FdMessage& message)
{
    message.size = 0;
    message.fds.clear();
    message.fds.reserve(max_fds_per_message);

    iovec iov{.iov_base = buffer.data(), .iov_len = buffer.size()};
    msghdr header{};
    header.msg_iov = &iov;
    header.msg_iovlen = 1;

    // Room for the largest message, so only RLIMIT_NOFILE can make the kernel drop one.
    alignas(cmsghdr) std::byte control[control_space(max_fds_per_message)];
    header.msg_control = control;
    header.msg_controllen = sizeof control;

    // Whether the socket blocks is a property of the open file, which another process may share
    // and change: a worker must not be able to stop the master.
    const auto received =
        retry_on_eintr([&] { return ::recvmsg(socket, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT); });
    if (received < 0)
        return last_error();

    adopt_fds(header, message.fds); // before any check, so that every path below closes them

    std::error_code error;
    if ((header.msg_flags & MSG_CTRUNC) != 0)
        error = MessageError::fds_dropped;
    else if ((header.msg_flags & MSG_TRUNC) != 0)
        error = MessageError::payload_truncated;
    else if (received == 0)
        error = MessageError::peer_closed;

    if (error)
        discard_fds(message.fds);
    else
        message.size = static_cast<std::size_t>(received);
    return error;
}

std::error_code peek_message(int socket, std::span<std::byte> buffer, std::size_t& size) noexcept
{
    size = 0;

    // recv() offers no room for descriptors, so the kernel installs none while peeking.
    const auto received = retry_on_eintr(
        [&] { return ::recv(socket, buffer.data(), buffer.size(), MSG_PEEK | MSG_DONTWAIT); });
    if (received < 0)
        return last_error();
    if (received == 0)
        return MessageError::peer_closed;

    size = static_cast<std::size_t>(received);
    return {};
}

} // namespace usher::sys
