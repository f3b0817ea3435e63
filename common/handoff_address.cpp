// SPDX-License-Identifier: MIT
#include "common/handoff_address.hpp"

#include <algorithm>

namespace usher {

wire::Address to_wire(const sys::SocketAddress& address) noexcept
{
    const auto family = address.family();
    wire::Address result{.family = family == AF_INET    ? wire::AddressFamily::ipv4
                                   : family == AF_INET6 ? wire::AddressFamily::ipv6
                                   : family == AF_UNIX  ? wire::AddressFamily::unix_domain
                                                        : wire::AddressFamily::unknown,
                         .port = address.port(),
                         .scope_id = address.scope_id()};
    std::ranges::copy(address.ip_bytes(), result.bytes.begin());
    return result;
}

} // namespace usher
