// SPDX-License-Identifier: MIT
#include "balancer/dialect/node/cluster/node_socket.hpp"

#include "balancer/listen/unix_listener.hpp"
#include "common/sys/process/umask.hpp"
#include "common/sys/socket/bound_socket.hpp"
#include "common/sys/syscall.hpp"

#include <boost/asio/ip/tcp.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace usher {

namespace {

[[noreturn]] void refuse(std::errc reason)
{
    throw std::system_error{std::make_error_code(reason)};
}

int option_of(int fd, int option)
{
    int value = 0;
    socklen_t size = sizeof value;
    if (::getsockopt(fd, SOL_SOCKET, option, &value, &size) < 0)
        sys::throw_last_error("getsockopt");
    return value;
}

/// With the address at which `fd` is bound.
ListeningSocket with_address(sys::UniqueFd fd)
{
    ListeningSocket socket{.fd = std::move(fd), .address = {}, .file = {}};
    if (const auto error = sys::read_bound_address(socket.fd.get(), socket.address))
        throw std::system_error{error};
    return socket;
}

ListeningSocket open_at(const sys::SocketAddress& address, const ServerRequest& request,
                        SocketUse use, unsigned backlog)
{
    const bool datagram = request.is_datagram();
    sys::BindOptions options{.type = datagram ? SOCK_DGRAM : SOCK_STREAM,
                             .reuse_address = address.family() != AF_UNIX &&
                                              (!datagram || request.reuse_address),
                             .reuse_port = use == SocketUse::share,
                             .v6only = request.v6only};
    if (!datagram && use == SocketUse::listen)
        options.backlog = backlog;
    sys::UniqueFd fd;
    if (const auto error = sys::open_bound_socket(address, options, fd))
        throw std::system_error{error};
    return with_address(std::move(fd));
}

sys::SocketAddress parse_numeric(const std::string& host, std::uint16_t port)
{
    boost::system::error_code error;
    const boost::asio::ip::tcp::endpoint endpoint{boost::asio::ip::make_address(host, error), port};
    if (error)
        refuse(std::errc::invalid_argument);
    return sys::SocketAddress{endpoint.data(), static_cast<socklen_t>(endpoint.size())};
}

ListeningSocket open_inet(const ServerRequest& request, SocketUse use, unsigned backlog)
{
    const auto port = static_cast<std::uint16_t>(std::max(request.port, 0));
    if (request.address)
        return open_at(parse_numeric(*request.address, port), request, use, backlog);
    constexpr std::array<std::uint8_t, 16> any6{};
    constexpr std::array<std::uint8_t, 4> any4{};
    try {
        if (request.kind != ServerRequest::Kind::datagram4)
            return open_at(sys::SocketAddress::ipv6(any6, port, 0), request, use, backlog);
    } catch (const std::system_error&) { // whatever the reason, as Node does
        if (request.v6only)
            throw;
    }
    return open_at(sys::SocketAddress::ipv4(any4, port), request, use, backlog);
}

/// A name that is no file: the worker has put its folder before the zero byte.
ListeningSocket open_abstract(std::string_view name, const ServerRequest& request, unsigned backlog)
{
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (name.size() > sizeof address.sun_path)
        refuse(std::errc::filename_too_long);
    std::memcpy(address.sun_path, name.data(), name.size());
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    const sys::SocketAddress at{reinterpret_cast<const sockaddr*>(&address), size};
    return open_at(at, request, SocketUse::listen, backlog);
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
    const auto mask = sys::process_umask();
    return (0777U & ~mask) | (request.readable_all ? 0444U : 0U) |
           (request.writable_all ? 0222U : 0U);
}

ListeningSocket open_path(const ServerRequest& request, unsigned backlog)
{
    const auto path = request.address.value_or("");
    if (path.empty()) // a name of the kernel's own choice
        refuse(std::errc::invalid_argument);
    if (const auto zero = path.find('\0'); zero != std::string::npos)
        return open_abstract(std::string_view{path}.substr(zero), request, backlog);

    // Normal, as it was compared with what is allowed: "link/.." may be anywhere.
    const auto name = short_name(std::filesystem::path{path}.lexically_normal());
    if (name.size() >= sizeof(sockaddr_un::sun_path))
        refuse(std::errc::filename_too_long);
    try {
        // The mode comes with the file: by its name it could by now be another one, of the worker's
        // choice.
        return open_unix_listener(name, mode_of(request), backlog);
    } catch (const AddressInUse&) {
        refuse(std::errc::address_in_use);
    }
}

/// A socket that the master was started with.  What it has opened itself is close-on-exec and
/// nobody else's.
ListeningSocket adopt_inherited(const ServerRequest& request, unsigned backlog)
{
    const int flags = ::fcntl(request.fd, F_GETFD);
    if (request.fd <= STDERR_FILENO || flags < 0 || (flags & FD_CLOEXEC) != 0)
        refuse(std::errc::bad_file_descriptor);
    const bool datagram = request.is_datagram();
    const int family = option_of(request.fd, SO_DOMAIN);
    const bool inet = family == AF_INET || family == AF_INET6;
    if (option_of(request.fd, SO_TYPE) != (datagram ? SOCK_DGRAM : SOCK_STREAM) ||
        !(inet || (family == AF_UNIX && !datagram)))
        refuse(std::errc::invalid_argument);
    sys::UniqueFd fd{::fcntl(request.fd, F_DUPFD_CLOEXEC, 0)};
    // A connection cannot listen.  Only then the flag, which others share that have the socket.
    if (!fd || (!datagram && ::listen(fd.get(), static_cast<int>(backlog)) < 0) ||
        ::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) | O_NONBLOCK) < 0)
        sys::throw_last_error("listen");
    return with_address(std::move(fd));
}

} // namespace

ListenConfig node_file_config(const std::string& path, const ServerRequest& request)
{
    // "@name" would be an abstract one.
    const std::string prefix = path.starts_with('@') ? "unix:./" : "unix:";
    return {.address = prefix + path, .mode = mode_of(request)};
}

ListeningSocket open_node_socket(const ServerRequest& request, SocketUse use, unsigned backlog)
{
    if (request.backlog > 0)
        backlog = static_cast<unsigned>(request.backlog);
    if (request.fd >= 0)
        return adopt_inherited(request, backlog);
    return request.is_path ? open_path(request, backlog) : open_inet(request, use, backlog);
}

} // namespace usher
