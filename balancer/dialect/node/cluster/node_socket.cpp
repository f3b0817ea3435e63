// SPDX-License-Identifier: MIT
#include "balancer/dialect/node/cluster/node_socket.hpp"

#include "balancer/listen/unix_listener.hpp"
#include "common/sys/socket/bound_socket.hpp"

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <system_error>

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace usher {

namespace {

bool get_option(int fd, int option, int& value)
{
    socklen_t size = sizeof value;
    return ::getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0;
}

/// 0 or an errno.
int open_at(const sys::SocketAddress& address, const ServerRequest& request, NodeSocketUse use,
            unsigned backlog, NodeSocket& socket)
{
    const bool datagram = request.kind != ServerRequest::Kind::stream;
    sys::BindOptions options{.type = datagram ? SOCK_DGRAM : SOCK_STREAM,
                             .reuse_address = address.family() != AF_UNIX &&
                                              (!datagram || request.reuse_address),
                             .reuse_port = use == NodeSocketUse::share,
                             .v6only = request.v6only};
    if (!datagram && use == NodeSocketUse::listen)
        options.backlog = backlog;
    sys::UniqueFd fd;
    auto error = sys::open_bound_socket(address, options, fd);
    if (!error)
        error = sys::read_bound_address(fd.get(), socket.address);
    if (error)
        return error.value();
    socket.fd = std::move(fd);
    return 0;
}

std::optional<sys::SocketAddress> parse_numeric(const std::string& host, int port)
{
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
    addrinfo* found = nullptr;
    if (::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) != 0)
        return std::nullopt;
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner{found, &::freeaddrinfo};
    return sys::SocketAddress{found->ai_addr, found->ai_addrlen};
}

int open_inet(const ServerRequest& request, NodeSocketUse use, unsigned backlog, NodeSocket& socket)
{
    const auto port = static_cast<std::uint16_t>(std::max(request.port, 0));
    if (request.address) {
        const auto address = parse_numeric(*request.address, port);
        return address ? open_at(*address, request, use, backlog, socket) : EINVAL;
    }
    constexpr std::array<std::uint8_t, 16> any6{};
    constexpr std::array<std::uint8_t, 4> any4{};
    const auto v4 = sys::SocketAddress::ipv4(any4, port);
    if (request.kind == ServerRequest::Kind::datagram4)
        return open_at(v4, request, use, backlog, socket);
    const int error =
        open_at(sys::SocketAddress::ipv6(any6, port, 0), request, use, backlog, socket);
    // Whatever the reason, as Node does.
    return error != 0 && !request.v6only ? open_at(v4, request, use, backlog, socket) : error;
}

/// A name that is no file: the worker has put its folder before the zero byte.
int open_abstract(std::string_view name, const ServerRequest& request, unsigned backlog,
                  NodeSocket& socket)
{
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (name.size() > sizeof address.sun_path)
        return ENAMETOOLONG;
    std::memcpy(address.sun_path, name.data(), name.size());
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    const sys::SocketAddress at{reinterpret_cast<const sockaddr*>(&address), size};
    return open_at(at, request, NodeSocketUse::listen, backlog, socket);
}

/// Short enough for an address, if it can be: relative to where usher is.
std::string short_name(const std::filesystem::path& path)
{
    std::error_code nowhere; // the folder may have been removed
    const auto here = std::filesystem::current_path(nowhere);
    auto relative = nowhere ? std::string{} : path.lexically_relative(here).string();
    auto name = path.string();
    return relative.empty() || relative.size() >= name.size() ? name : relative;
}

/// The permissions of a new socket's file; nothing: as the umask has it.
std::optional<unsigned> mode_of(const ServerRequest& request)
{
    if (!request.readable_all && !request.writable_all)
        return std::nullopt;
    const auto mask = ::umask(0); // there is no other way to read it
    ::umask(mask);
    return (0777U & ~mask) | (request.readable_all ? 0444U : 0U) |
           (request.writable_all ? 0222U : 0U);
}

int open_path(const ServerRequest& request, unsigned backlog, NodeSocket& socket)
{
    const std::string& path = *request.address;
    if (const auto zero = path.find('\0'); zero != std::string::npos)
        return open_abstract(std::string_view{path}.substr(zero), request, backlog, socket);

    // Normal, as it was compared with what is allowed: "link/.." may be anywhere.
    const auto name = short_name(std::filesystem::path{path}.lexically_normal());
    if (name.size() >= sizeof(sockaddr_un::sun_path))
        return ENAMETOOLONG;
    try {
        // The mode comes with the file: by its name it could by now be another one, of the worker's
        // choice.  Nor may anybody who locks the folder hold up usher.
        auto opened = open_unix_listener(name, mode_of(request), backlog, FolderLocked::fail);
        socket.fd = std::move(opened.fd);
        socket.address = opened.address;
        socket.file = std::move(opened.file);
    } catch (const AddressInUse&) {
        return EADDRINUSE;
    } catch (const std::system_error& e) {
        return e.code().value();
    }
    return 0;
}

/// A socket that the master was started with.  What it has opened itself is close-on-exec and
/// nobody else's.
int adopt_inherited(const ServerRequest& request, unsigned backlog, NodeSocket& socket)
{
    const int flags = ::fcntl(request.fd, F_GETFD);
    if (request.fd <= STDERR_FILENO || flags < 0 || (flags & FD_CLOEXEC) != 0)
        return EBADF;
    int type = 0;
    int family = 0;
    if (!get_option(request.fd, SO_TYPE, type) || !get_option(request.fd, SO_DOMAIN, family))
        return errno;
    const bool datagram = request.kind != ServerRequest::Kind::stream;
    const bool inet = family == AF_INET || family == AF_INET6;
    if (type != (datagram ? SOCK_DGRAM : SOCK_STREAM) ||
        !(inet || (family == AF_UNIX && !datagram)))
        return EINVAL;
    sys::UniqueFd fd{::fcntl(request.fd, F_DUPFD_CLOEXEC, 0)};
    // A connection cannot listen.  Only then the flag, which others share that have the socket.
    if (!fd || (!datagram && ::listen(fd.get(), static_cast<int>(backlog)) < 0) ||
        ::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) | O_NONBLOCK) < 0)
        return errno;
    if (sys::read_bound_address(fd.get(), socket.address))
        return errno;
    socket.fd = std::move(fd);
    return 0;
}

} // namespace

int open_node_socket(const ServerRequest& request, NodeSocketUse use, unsigned backlog,
                     NodeSocket& socket)
{
    if (request.backlog > 0)
        backlog = static_cast<unsigned>(request.backlog);
    if (request.fd >= 0)
        return adopt_inherited(request, backlog, socket);
    if (request.is_path)
        return request.address && !request.address->empty() // a name of the kernel's own choice
                   ? open_path(request, backlog, socket)
                   : EINVAL;
    return open_inet(request, use, backlog, socket);
}

} // namespace usher
