// SPDX-License-Identifier: MIT
#include "balancer/listen/inherited_sockets.hpp"

#include "balancer/listen/host_addresses.hpp"
#include "balancer/listen/same_address.hpp"
#include "common/sys/socket/bound_socket.hpp"
#include "common/sys/syscall.hpp"
#include "common/text/listen_address.hpp"
#include "common/text/one_line.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace usher {

namespace {

bool is_listening_stream(int fd) noexcept
{
    const int family = sys::socket_option(fd, SO_DOMAIN);
    return (family == AF_INET || family == AF_INET6 || family == AF_UNIX) &&
           sys::socket_option(fd, SO_TYPE) == SOCK_STREAM &&
           sys::socket_option(fd, SO_ACCEPTCONN) == 1;
}

bool is_v6only(int socket) noexcept
{
    int value = 0;
    socklen_t size = sizeof value;
    return ::getsockopt(socket, IPPROTO_IPV6, IPV6_V6ONLY, &value, &size) == 0 && value != 0;
}

/// True if `socket`, which is bound to `bound`, is where `listen` is to listen.
bool listens_on(const ListenConfig& listen, int socket, const sys::SocketAddress& bound)
{
    const auto where = parse_listen_address(listen.address);
    if (where.kind == ListenAddress::Kind::unix_path)
        return is_same(sys::SocketAddress::unix_path(where.path), bound);
    if (where.kind == ListenAddress::Kind::unix_name)
        return is_same(sys::SocketAddress::unix_name(where.name), bound);
    if (bound.port() == 0 || bound.port() != where.port)
        return false;
    if (where.kind == ListenAddress::Kind::any)
        return is_unspecified(bound);
    // systemd makes one socket for IPv6 and IPv4 of a port alone.
    const bool has_all_of_ipv4 =
        bound.family() == AF_INET6 && is_unspecified(bound) && !is_v6only(socket);
    return std::ranges::any_of(
        HostAddresses{}.of(where.host, where.port), [&](const auto& address) {
            return is_same(address, bound) ||
                   (has_all_of_ipv4 && address.family() == AF_INET && is_unspecified(address));
        });
}

} // namespace

void InheritedSockets::add(sys::UniqueFd fd, std::string name)
{
    if (!is_listening_stream(fd.get()))
        throw std::runtime_error{fmt::format(
            "descriptor {} ({}), which usher was started with, is not a listening TCP or Unix "
            "stream socket; in its socket unit, use ListenStream= and Accept=no only",
            fd.get(), quote(name))};

    const int flags = ::fcntl(fd.get(), F_GETFL);
    if (flags < 0 || ::fcntl(fd.get(), F_SETFL, flags | O_NONBLOCK) < 0 ||
        ::fcntl(fd.get(), F_SETFD, FD_CLOEXEC) < 0)
        sys::throw_last_error("fcntl");
    sys::SocketAddress address;
    if (const auto error = sys::read_bound_address(fd.get(), address))
        throw std::system_error{error, "getsockname"};
    sockets_.push_back(
        {.socket = {.fd = std::move(fd), .address = address, .file = {}}, .name = std::move(name)});
}

std::vector<std::string> InheritedSockets::assign(const std::vector<ListenConfig>& listeners)
{
    std::vector<std::string> problems;
    for (auto& socket : sockets_) {
        auto found = std::ranges::find_if(listeners, [&](const auto& listen) {
            return !listen.name.empty() && listen.name == socket.name;
        });
        if (found == listeners.end())
            found = std::ranges::find_if(listeners, [&](const auto& listen) {
                return listens_on(listen, socket.socket.fd.get(), socket.socket.address);
            });
        if (found != listeners.end()) {
            socket.listener = *found;
            continue;
        }
        problems.push_back(
            fmt::format("{} ({}), which usher was started with, is for no listener and is closed; "
                        "give one that name or that address",
                        socket.socket.address.to_string(), quote(socket.name)));
        socket.socket.fd.reset();
        closed_.push_back(std::move(socket));
    }
    std::erase_if(sockets_, [](const auto& socket) { return !socket.listener; });
    return problems;
}

std::string InheritedSockets::obstacle_at(const sys::SocketAddress& address) const
{
    const auto found = std::ranges::find_if(
        closed_, [&](const auto& each) { return overlap(each.socket.address, address); });
    return found == closed_.end()
               ? std::string{}
               : fmt::format("{} ({})", found->socket.address.to_string(), quote(found->name));
}

std::vector<ListeningSocket> InheritedSockets::take(const ListenConfig& listen, unsigned backlog)
{
    std::vector<ListeningSocket> result;
    for (auto& socket : sockets_) {
        if (socket.listener != listen)
            continue;
        socket.listener.reset();
        ::listen(socket.socket.fd.get(), static_cast<int>(backlog)); // may be called again
        result.push_back(std::move(socket.socket));
    }
    return result;
}

} // namespace usher
