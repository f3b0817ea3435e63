// SPDX-License-Identifier: MIT
#include "common/sys/socket/backlog.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace usher::sys {

std::optional<std::size_t> waiting_in_backlog(int socket) noexcept
{
    tcp_info info{};
    socklen_t size = sizeof info;
    // Of a socket that listens this is its backlog's length (tcp_get_info() in the kernel).
    if (::getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
        return std::nullopt;
    return info.tcpi_unacked;
}

} // namespace usher::sys
