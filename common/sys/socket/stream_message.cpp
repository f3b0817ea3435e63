// SPDX-License-Identifier: MIT
#include "common/sys/socket/stream_message.hpp"

#include "common/sys/fd/passed_fds.hpp"
#include "common/sys/socket/message_error.hpp"
#include "common/sys/syscall.hpp"

#include <cassert>

#include <sys/socket.h>
#include <sys/uio.h>

namespace usher::sys {

std::error_code send_stream(int socket, std::span<const std::byte> bytes, int fd,
                            std::size_t& sent) noexcept
{
    assert(!bytes.empty());
    sent = 0;

    iovec iov{.iov_base = const_cast<std::byte*>(bytes.data()), .iov_len = bytes.size()};
    msghdr header{};
    header.msg_iov = &iov;
    header.msg_iovlen = 1;

    alignas(cmsghdr) std::byte control[control_space(1)];
    if (fd >= 0)
        attach_fds(header, control, {&fd, 1});

    // Whether the socket blocks is a property of the open file, which the worker shares.
    const auto rc =
        retry_on_eintr([&] { return ::sendmsg(socket, &header, MSG_NOSIGNAL | MSG_DONTWAIT); });
    if (rc < 0)
        return last_error();
    sent = static_cast<std::size_t>(rc);
    return {};
}

std::error_code recv_stream(int socket, std::span<std::byte> buffer, StreamChunk& chunk)
{
    chunk.size = 0;
    chunk.fds.clear();
    chunk.fds.reserve(max_fds_per_message); // may throw, so before there is anything to lose
    chunk.fds_dropped = false;

    iovec iov{.iov_base = buffer.data(), .iov_len = buffer.size()};
    msghdr header{};
    header.msg_iov = &iov;
    header.msg_iovlen = 1;
    alignas(cmsghdr) std::byte control[control_space(max_fds_per_message)];
    header.msg_control = control;
    header.msg_controllen = sizeof control;

    const auto received =
        retry_on_eintr([&] { return ::recvmsg(socket, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT); });
    if (received < 0)
        return last_error();

    adopt_fds(header, chunk.fds);
    chunk.fds_dropped = (header.msg_flags & MSG_CTRUNC) != 0;
    if (received == 0)
        return MessageError::peer_closed;
    chunk.size = static_cast<std::size_t>(received);
    return {};
}

} // namespace usher::sys
