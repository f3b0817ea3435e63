// SPDX-License-Identifier: MIT
#include "balancer/listen/listening_socket.hpp"

#include "balancer/listen/same_address.hpp"
#include "balancer/listen/unix_listener.hpp"
#include "common/sys/socket/bound_socket.hpp"
#include "common/text/listen_address.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <tuple>
#include <utility>

#include <netinet/in.h>
#include <sys/socket.h>

namespace usher {

void throw_bind_error(std::error_code error, const sys::SocketAddress& address)
{
    const auto name = address.to_string();
    if (error == std::errc::address_in_use)
        throw AddressInUse{name + ": another process listens there already; stop it, or choose "
                                  "another port (\"listen\" of the pool, or --listen)",
                           address};
    if (error == std::errc::permission_denied)
        throw std::system_error{error,
                                name + ": ports below 1024 need root or CAP_NET_BIND_SERVICE"};
    throw std::system_error{error, name};
}

namespace {

/// How the sockets of one entry of the configuration are opened.
struct Manner {
    bool v6only;
    unsigned backlog;
    SocketUse use;
    const std::vector<sys::SocketAddress>& held;
};

/// The entry for `address` if it is held already.
std::optional<ListeningSocket> find_held(const sys::SocketAddress& address, const Manner& manner)
{
    const auto found =
        std::ranges::find_if(manner.held, [&](const auto& held) { return is_same(held, address); });
    if (found == manner.held.end())
        return std::nullopt;
    return ListeningSocket{.fd = {}, .address = *found, .file = {}};
}

ListeningSocket open_tcp(sys::SocketAddress address, const Manner& manner)
{
    if (auto held = find_held(address, manner))
        return std::move(*held);
    // Among sockets with SO_REUSEPORT the kernel sees no conflict, not even with those of another
    // process; one without sees it.
    if (manner.use == SocketUse::share && address.port() != 0)
        std::ignore =
            open_tcp(address, {manner.v6only, manner.backlog, SocketUse::listen, manner.held});

    sys::UniqueFd fd;
    // A restart may bind while connections of the last run are in TIME_WAIT (socket(7)).
    sys::BindOptions options{.reuse_address = true,
                             .reuse_port = manner.use == SocketUse::share,
                             .v6only = manner.v6only};
    if (manner.use == SocketUse::listen)
        options.backlog = manner.backlog;
    if (const auto error = sys::open_bound_socket(address, options, fd))
        throw_bind_error(error, address);
    if (const auto error = sys::read_bound_address(fd.get(), address))
        throw std::system_error{error, "getsockname"};
    return {.fd = std::move(fd), .address = address};
}

/// True if this machine, or its kernel, does not have such an address.
bool is_not_here(std::error_code error) noexcept
{
    return error == std::errc::address_not_available ||
           error == std::errc::address_family_not_supported;
}

/// Every interface: IPv6 and, unless `v6only`, IPv4 through the same socket; IPv4 alone where
/// the system has no IPv6.
ListeningSocket open_everywhere(std::uint16_t port, const Manner& manner)
{
    constexpr std::array<std::uint8_t, 16> any6{};
    constexpr std::array<std::uint8_t, 4> any4{};
    try {
        return open_tcp(sys::SocketAddress::ipv6(any6, port, 0), manner);
    } catch (const std::system_error& e) {
        if (!is_not_here(e.code()) || manner.v6only)
            throw;
        return open_tcp(sys::SocketAddress::ipv4(any4, port), manner);
    }
}

/// All addresses of a name.  One that this machine does not have is skipped (`localhost` is ::1
/// as well in /etc/hosts, also where IPv6 is off), unless it is the only one.
std::vector<ListeningSocket> open_host(const ListenAddress& where, const Manner& manner,
                                       const HostAddresses& hosts)
{
    std::vector<ListeningSocket> result;
    std::optional<std::system_error> skipped;

    for (auto address : hosts.of(where.host, where.port)) {
        if (!result.empty()) // port 0: all get the number the first one got
            address.set_port(result.front().address.port());
        try {
            result.push_back(open_tcp(address, manner));
        } catch (const std::system_error& e) {
            if (!is_not_here(e.code()))
                throw;
            skipped = e;
        }
    }
    if (result.empty() && skipped)
        throw std::system_error{*skipped};
    return result;
}

/// Without a file, so that nobody has to be asked for leave, and nothing is left behind.
ListeningSocket open_abstract(const std::string& name, const Manner& manner)
{
    const auto address = sys::SocketAddress::unix_name(name);
    if (auto held = find_held(address, manner))
        return std::move(*held);
    sys::UniqueFd fd;
    const auto error = sys::open_bound_socket(address, {.backlog = manner.backlog}, fd);
    if (error == std::errc::address_in_use)
        throw AddressInUse{address.to_string() + ": another process listens there already; stop "
                                                 "it, or choose another name",
                           address};
    if (error)
        throw std::system_error{error, address.to_string()};
    return {.fd = std::move(fd), .address = address, .file = {}};
}

} // namespace

std::vector<ListeningSocket> open_listeners(const ListenConfig& config, unsigned backlog,
                                            SocketUse use, const HostAddresses& hosts,
                                            const std::vector<sys::SocketAddress>& held)
{
    const Manner manner{.v6only = config.v6only, .backlog = backlog, .use = use, .held = held};
    const auto where = parse_listen_address(config.address);
    std::vector<ListeningSocket> result;
    switch (where.kind) {
    case ListenAddress::Kind::any:
        result.push_back(open_everywhere(where.port, manner));
        break;
    case ListenAddress::Kind::host:
        result = open_host(where, manner, hosts);
        break;
    case ListenAddress::Kind::unix_path:
        if (auto found = find_held(sys::SocketAddress::unix_path(where.path), manner))
            result.push_back(std::move(*found));
        else
            result.push_back(open_unix_listener(where.path, config.mode, backlog, config.file_owner,
                                                longest_opening));
        break;
    case ListenAddress::Kind::unix_name:
        result.push_back(open_abstract(where.name, manner));
        break;
    }
    return result;
}

} // namespace usher
