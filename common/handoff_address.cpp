// SPDX-License-Identifier: MIT
#include "common/handoff_address.hpp"

#include <algorithm>

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

} // namespace usher
