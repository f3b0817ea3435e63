// SPDX-License-Identifier: MIT
#include "common/sys/socket/accept.hpp"

#include "common/sys/syscall.hpp"

#include <algorithm>
#include <array>

#include <netinet/in.h>
#include <netinet/tcp.h>

namespace usher::sys {

std::error_code accept_connection(int listener, UniqueFd& connection, SocketAddress& peer) noexcept
{
    socklen_t size = SocketAddress::capacity();
    connection.reset(retry_on_eintr([&] {
        size = SocketAddress::capacity();
        return ::accept4(listener, peer.data(), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    }));
    if (!connection)
        return last_error();

    peer.resize(std::min(size, SocketAddress::capacity()));
    return {};
}

bool is_accept_noise(std::error_code error) noexcept
{
    // accept(2), "Error handling": already-pending network errors are passed on.
    constexpr std::array noise{ECONNABORTED, EPROTO,       ENETDOWN,   ENOPROTOOPT, EHOSTDOWN,
                               ENONET,       EHOSTUNREACH, EOPNOTSUPP, ENETUNREACH, EPERM};
    return error.category() == std::system_category() &&
           std::find(noise.begin(), noise.end(), error.value()) != noise.end();
}

bool is_out_of_resources(std::error_code error) noexcept
{
    return error == std::errc::too_many_files_open ||
           error == std::errc::too_many_files_open_in_system ||
           error == std::errc::no_buffer_space || error == std::errc::not_enough_memory;
}

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
