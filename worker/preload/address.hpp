// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace usher::preload {

/// A socket address of any family.
struct Address {
    union {
        sockaddr_storage storage{};
        sockaddr any;
        sockaddr_in ipv4;
        sockaddr_in6 ipv6;
        sockaddr_un local;
    };
    socklen_t size = 0; ///< 0: none

    [[nodiscard]] int family() const noexcept { return any.sa_family; }
    [[nodiscard]] bool is_tcp() const noexcept
    {
        return family() == AF_INET || family() == AF_INET6;
    }
    [[nodiscard]] std::uint16_t port() const noexcept; ///< 0 where the family has none
};

/// What the kernel says of `fd` to getsockname(2) or its kin; an address of size 0 if nothing.
template <typename Question>
[[nodiscard]] Address ask(Question& question, int fd) noexcept
{
    Address address{.size = sizeof address.storage};
    if (question(fd, &address.any, &address.size) < 0)
        address.size = 0;
    return address;
}

/// Reads what sys::SocketAddress::to_string() writes; an address of size 0 if it is something else.
[[nodiscard]] Address parse_address(const char* text, std::size_t size) noexcept;

/// Writes an IPv4 or IPv6 address as sys::SocketAddress::to_string() does; empty if it does not fit
/// or is of another family.
void format_address(const Address& address, char* text, std::size_t size) noexcept;

/// An address as it stands in a hand-off record; of zeros: none.
using WireAddress = std::array<unsigned char, 28>;

[[nodiscard]] Address from_wire(const WireAddress& address) noexcept;

/// A copy of what `address` points to, cut to what any family takes.
[[nodiscard]] Address copy_of(const sockaddr* address, socklen_t size) noexcept;

/// The same address for a program whose socket is of `family`: IPv4 as `::ffff:127.0.0.1` and back,
/// and either "any" address.  Where there is no such form, as it is.
[[nodiscard]] Address in_family(const Address& address, int family) noexcept;

/// Both on the same port, or both the same path.
[[nodiscard]] bool same_place(const Address& a, const Address& b) noexcept;

/// Writes the address as the kernel does: as much as there is room for, and its full size.
void write_address(const Address& address, sockaddr* out, socklen_t* size) noexcept;

} // namespace usher::preload
