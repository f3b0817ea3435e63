// SPDX-License-Identifier: MIT
#include "worker/preload/address.hpp"

#include <algorithm>
#include <cstdio>
#include <cstring>

#include <arpa/inet.h>

extern "C" {
#include "worker/c/address.h"
#include "worker/c/handoff.h"
}

namespace usher::preload {

namespace {

/// The length of the path, without the zero that may or may not be counted in `size`.
std::size_t path_size(const Address& address) noexcept
{
    const std::size_t head = offsetof(sockaddr_un, sun_path);
    return address.size <= head ? 0 : ::strnlen(address.local.sun_path, address.size - head);
}

} // namespace

std::uint16_t Address::port() const noexcept
{
    return family() == AF_INET    ? ntohs(ipv4.sin_port)
           : family() == AF_INET6 ? ntohs(ipv6.sin6_port)
                                  : std::uint16_t{0};
}

Address parse_address(const char* text, std::size_t size) noexcept
{
    char copy[sizeof(sockaddr_storage)]{};
    uw_address parsed{};
    if (size >= sizeof copy)
        return {};
    std::memcpy(copy, text, size);
    return uw_parse_address(copy, &parsed) ? Address{{parsed.storage}, parsed.size} : Address{};
}

void format_address(const Address& address, char* text, std::size_t size) noexcept
{
    char host[INET6_ADDRSTRLEN]{};
    text[0] = '\0';
    const bool is_ipv6 = address.family() == AF_INET6;
    const void* const ip = is_ipv6 ? static_cast<const void*>(&address.ipv6.sin6_addr)
                                   : static_cast<const void*>(&address.ipv4.sin_addr);
    if (!address.is_tcp() || ::inet_ntop(address.family(), ip, host, sizeof host) == nullptr)
        return;
    char scope[16]{};
    if (is_ipv6 && address.ipv6.sin6_scope_id != 0)
        ::snprintf(scope, sizeof scope, "%%%u", address.ipv6.sin6_scope_id);
    ::snprintf(text, size, is_ipv6 ? "[%s%s]:%u" : "%s%s:%u", host, scope, address.port());
}

Address from_wire(const WireAddress& address) noexcept
{
    Address result;
    result.size = uw_decode_address(address.data(), &result.storage);
    return result;
}

Address copy_of(const sockaddr* address, socklen_t size) noexcept
{
    Address result;
    if (address != nullptr) {
        result.size = std::min(size, static_cast<socklen_t>(sizeof result.storage));
        std::memcpy(&result.storage, address, result.size);
    }
    return result;
}

Address in_family(const Address& address, int family) noexcept
{
    constexpr std::size_t prefix = sizeof(in6_addr) - sizeof(in_addr); // of ::ffff:127.0.0.1
    Address result;
    if (family == AF_INET && address.family() == AF_INET6) {
        const auto& ip = address.ipv6.sin6_addr;
        if (!IN6_IS_ADDR_V4MAPPED(&ip) && !IN6_IS_ADDR_UNSPECIFIED(&ip))
            return address;
        result.size = sizeof result.ipv4;
        result.ipv4.sin_family = AF_INET;
        result.ipv4.sin_port = address.ipv6.sin6_port;
        std::memcpy(&result.ipv4.sin_addr, ip.s6_addr + prefix, sizeof(in_addr));
        return result;
    }
    if (family == AF_INET6 && address.family() == AF_INET) {
        result.size = sizeof result.ipv6;
        result.ipv6.sin6_family = AF_INET6;
        result.ipv6.sin6_port = address.ipv4.sin_port;
        auto& ip = result.ipv6.sin6_addr.s6_addr;
        if (address.ipv4.sin_addr.s_addr != INADDR_ANY) {
            ip[prefix - 2] = ip[prefix - 1] = 0xff;
            std::memcpy(ip + prefix, &address.ipv4.sin_addr, sizeof(in_addr));
        }
        return result;
    }
    return address;
}

bool same_place(const Address& a, const Address& b) noexcept
{
    if (a.is_tcp() && b.is_tcp())
        return a.port() == b.port() && a.port() != 0;
    if (a.family() != AF_UNIX || b.family() != AF_UNIX)
        return false;
    const auto size = path_size(a);
    return size > 0 && size == path_size(b) &&
           std::memcmp(a.local.sun_path, b.local.sun_path, size) == 0;
}

void write_address(const Address& address, sockaddr* out, socklen_t* size) noexcept
{
    if (out == nullptr || size == nullptr)
        return;
    std::memcpy(out, &address.storage, std::min(*size, address.size));
    *size = address.size;
}

} // namespace usher::preload
