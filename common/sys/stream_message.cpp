// SPDX-License-Identifier: MIT
#include "common/sys/stream_message.hpp"

#include "common/sys/fd_message.hpp"
#include "common/sys/syscall.hpp"

#include <cassert>
#include <cstring>

#include <sys/socket.h>
#include <sys/uio.h>

namespace usher::sys {

namespace {

constexpr std::size_t most_control = CMSG_SPACE(max_fds_per_message * sizeof(int));

void adopt_fds(msghdr& header, std::vector<UniqueFd>& fds) noexcept
{
    for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        const std::size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; ++i) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
            fds.emplace_back(fd);
        }
    }
}

} // namespace

std::error_code send_stream(int socket, std::span<const std::byte> bytes, int fd,
                            std::size_t& sent) noexcept
{
    assert(!bytes.empty());
    sent = 0;

    iovec iov{.iov_base = const_cast<std::byte*>(bytes.data()), .iov_len = bytes.size()};
    msghdr header{};
    header.msg_iov = &iov;
    header.msg_iovlen = 1;

    alignas(cmsghdr) std::byte control[CMSG_SPACE(sizeof fd)]{};
    if (fd >= 0) {
        header.msg_control = control;
        header.msg_controllen = sizeof control;
        cmsghdr* const c = CMSG_FIRSTHDR(&header);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof fd);
        std::memcpy(CMSG_DATA(c), &fd, sizeof fd);
    }

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
    alignas(cmsghdr) std::byte control[most_control];
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
