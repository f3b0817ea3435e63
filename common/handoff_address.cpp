// SPDX-License-Identifier: MIT
#include "common/handoff_address.hpp"

#include <algorithm>
#include <span>

namespace usher {

wire::Address to_wire(const sys::SocketAddress& address) noexcept
{
    wire::Address result;
    switch (address.family()) {
    case AF_INET:
        result.family = wire::AddressFamily::ipv4;
        break;
    case AF_INET6:
        result.family = wire::AddressFamily::ipv6;
        break;
    case AF_UNIX:
        result.family = wire::AddressFamily::unix_domain;
        return result;
    default:
        return result;
    }
    result.port = address.port();
    result.scope_id = address.scope_id();
    std::ranges::copy(address.ip_bytes(), result.bytes.begin());
    return result;
}

sys::SocketAddress from_wire(const wire::Address& address) noexcept
{
    switch (address.family) {
    case wire::AddressFamily::ipv4:
        return sys::SocketAddress::ipv4(std::span{address.bytes}.first<4>(), address.port);
    case wire::AddressFamily::ipv6:
        return sys::SocketAddress::ipv6(address.bytes, address.port, address.scope_id);
    case wire::AddressFamily::unix_domain: {
        const sockaddr unnamed{.sa_family = AF_UNIX, .sa_data = {}};
        return {&unnamed, sizeof unnamed.sa_family};
    }
    case wire::AddressFamily::unknown:
        break;
    }
    return {};
}

} // namespace usher
