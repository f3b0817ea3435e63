// SPDX-License-Identifier: MIT
#include "common/sys/socket/credential_message.hpp"

#include "common/sys/fd/passed_fds.hpp"
#include "common/sys/syscall.hpp"

#include <cstring>
#include <vector>

#include <sys/uio.h>

namespace usher::sys {

std::error_code recv_with_credentials(int socket, std::span<char> buffer, std::size_t& size,
                                      ucred& sender)
{
    std::vector<UniqueFd> unwanted;
    unwanted.reserve(max_fds_per_message);

    iovec part{.iov_base = buffer.data(), .iov_len = buffer.size()};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    alignas(cmsghdr)
        std::byte control[CMSG_SPACE(sizeof(ucred)) + control_space(max_fds_per_message)];
    header.msg_control = control;
    header.msg_controllen = sizeof control;

    const auto received =
        retry_on_eintr([&] { return ::recvmsg(socket, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC); });
    if (received < 0)
        return last_error();
    size = static_cast<std::size_t>(received);

    adopt_fds(header, unwanted);
    discard_fds(unwanted);
    sender = {.pid = 0, .uid = static_cast<uid_t>(-1), .gid = static_cast<gid_t>(-1)};
    for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c))
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS &&
            c->cmsg_len >= CMSG_LEN(sizeof sender))
            std::memcpy(&sender, CMSG_DATA(c), sizeof sender);
    return {};
}

} // namespace usher::sys
