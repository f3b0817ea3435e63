// SPDX-License-Identifier: MIT
#include "common/sys/socket/socket_address.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include <arpa/inet.h>

namespace usher::sys {

SocketAddress::SocketAddress(const sockaddr* address, socklen_t size) noexcept
    : size_{std::min(size, capacity())}
{
    std::memcpy(&storage_, address, size_);
}

SocketAddress SocketAddress::ipv4(std::span<const std::uint8_t, 4> bytes,
                                  std::uint16_t port) noexcept
{
    SocketAddress result;
    auto& in = result.ipv4_;
    in.sin_family = AF_INET;
    in.sin_port = htons(port);
    std::memcpy(&in.sin_addr, bytes.data(), bytes.size());
    result.size_ = sizeof in;
    return result;
}

SocketAddress SocketAddress::ipv6(std::span<const std::uint8_t, 16> bytes, std::uint16_t port,
                                  std::uint32_t scope_id) noexcept
{
    SocketAddress result;
    auto& in = result.ipv6_;
    in.sin6_family = AF_INET6;
    in.sin6_port = htons(port);
    in.sin6_scope_id = scope_id;
    std::memcpy(&in.sin6_addr, bytes.data(), bytes.size());
    result.size_ = sizeof in;
    return result;
}

SocketAddress SocketAddress::unix_path(std::string_view path)
{
    SocketAddress result;
    auto& un = result.unix_;
    if (path.size() >= sizeof un.sun_path)
        throw std::invalid_argument{"a Unix socket path has at most " +
                                    std::to_string(sizeof un.sun_path - 1) + " bytes, this has " +
                                    std::to_string(path.size())};
    un.sun_family = AF_UNIX;
    std::memcpy(un.sun_path, path.data(), path.size());
    result.size_ = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
    return result;
}

SocketAddress SocketAddress::unix_name(std::string_view name)
{
    SocketAddress result;
    auto& un = result.unix_;
    if (name.size() >= sizeof un.sun_path)
        throw std::invalid_argument{"the name of a Unix socket has at most " +
                                    std::to_string(sizeof un.sun_path - 1) + " bytes, this has " +
                                    std::to_string(name.size())};
    un.sun_family = AF_UNIX;
    std::memcpy(un.sun_path + 1, name.data(), name.size()); // behind a zero, and none follows
    result.size_ = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
    return result;
}

std::uint16_t SocketAddress::port() const noexcept
{
    switch (family()) {
    case AF_INET:
        return ntohs(ipv4_.sin_port);
    case AF_INET6:
        return ntohs(ipv6_.sin6_port);
    default:
        return 0;
    }
}

void SocketAddress::set_port(std::uint16_t port) noexcept
{
    if (family() == AF_INET)
        ipv4_.sin_port = htons(port);
    else if (family() == AF_INET6)
        ipv6_.sin6_port = htons(port);
}

std::span<const std::uint8_t> SocketAddress::ip_bytes() const noexcept
{
    if (family() == AF_INET) {
        const auto& ip = ipv4_.sin_addr;
        return {reinterpret_cast<const std::uint8_t*>(&ip), sizeof ip};
    }
    if (family() == AF_INET6)
        return ipv6_.sin6_addr.s6_addr;
    return {};
}

std::uint32_t SocketAddress::scope_id() const noexcept
{
    return family() == AF_INET6 ? ipv6_.sin6_scope_id : 0;
}

std::string_view SocketAddress::path() const noexcept
{
    constexpr auto start = offsetof(sockaddr_un, sun_path);
    if (family() != AF_UNIX || size_ <= start)
        return {};
    const char* const path = unix_.sun_path;
    return {path, ::strnlen(path, size_ - start)};
}

std::string_view SocketAddress::name() const noexcept
{
    constexpr auto start = offsetof(sockaddr_un, sun_path) + 1;
    if (family() != AF_UNIX || size_ <= start || unix_.sun_path[0] != '\0')
        return {};
    return {unix_.sun_path + 1, size_ - start};
}

std::string SocketAddress::to_string() const
{
    std::array<char, INET6_ADDRSTRLEN> text{};
    switch (family()) {
    case AF_INET:
        ::inet_ntop(AF_INET, ip_bytes().data(), text.data(), text.size());
        return std::string{text.data()} + ":" + std::to_string(port());
    case AF_INET6:
        ::inet_ntop(AF_INET6, ip_bytes().data(), text.data(), text.size());
        return "[" + std::string{text.data()} +
               (scope_id() != 0 ? "%" + std::to_string(scope_id()) : std::string{}) +
               "]:" + std::to_string(port());
    case AF_UNIX:
        return "unix:" + (name().empty() ? std::string{path()} : '@' + std::string{name()});
    default:
        return "unknown";
    }
}

} // namespace usher::sys
