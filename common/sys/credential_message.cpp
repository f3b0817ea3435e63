// SPDX-License-Identifier: MIT
#include "common/sys/credential_message.hpp"

#include "common/sys/fd_message.hpp"
#include "common/sys/syscall.hpp"

#include <cstring>

#include <sys/uio.h>
#include <unistd.h>

namespace usher::sys {

std::error_code recv_with_credentials(int socket, std::span<char> buffer, std::size_t& size,
                                      ucred& sender) noexcept
{
    alignas(cmsghdr) char
        control[CMSG_SPACE(sizeof(ucred)) + CMSG_SPACE(max_fds_per_message * sizeof(int))];
    iovec part{.iov_base = buffer.data(), .iov_len = buffer.size()};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof control;

    const auto received =
        retry_on_eintr([&] { return ::recvmsg(socket, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC); });
    if (received < 0)
        return last_error();
    size = static_cast<std::size_t>(received);

    sender = {.pid = 0, .uid = static_cast<uid_t>(-1), .gid = static_cast<gid_t>(-1)};
    for (auto* message = CMSG_FIRSTHDR(&header); message != nullptr;
         message = CMSG_NXTHDR(&header, message)) {
        if (message->cmsg_level != SOL_SOCKET)
            continue;
        const auto* const data = CMSG_DATA(message);
        const auto length = message->cmsg_len - CMSG_LEN(0);
        if (message->cmsg_type == SCM_CREDENTIALS && length >= sizeof sender)
            std::memcpy(&sender, data, sizeof sender);
        if (message->cmsg_type == SCM_RIGHTS)
            for (std::size_t at = 0; at + sizeof(int) <= length; at += sizeof(int)) {
                int fd = -1;
                std::memcpy(&fd, data + at, sizeof fd);
                ::close(fd);
            }
    }
    return {};
}

} // namespace usher::sys
