// SPDX-License-Identifier: MIT
#include "common/handoff_address.hpp"

#include "tests/support/printing.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cstdint>

#include <sys/socket.h>

namespace usher::handoff_address_test {

namespace {

constexpr std::array<std::uint8_t, 4> ip4{192, 0, 2, 1};
constexpr std::array<std::uint8_t, 16> ip6{0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};

} // namespace

TEST_SUITE_BEGIN("handoff_address");

TEST_CASE("an IPv4 address stands in the first four bytes")
{
    const auto address = to_wire(sys::SocketAddress::ipv4(ip4, 8000));
    CHECK(address == wire::Address{.family = wire::AddressFamily::ipv4,
                                   .port = 8000,
                                   .scope_id = 0,
                                   .bytes = {192, 0, 2, 1}});
}

TEST_CASE("an IPv6 address keeps its port and scope")
{
    const auto address = to_wire(sys::SocketAddress::ipv6(ip6, 8000, 7));
    CHECK(address ==
          wire::Address{
              .family = wire::AddressFamily::ipv6, .port = 8000, .scope_id = 7, .bytes = ip6});
}

TEST_CASE("of a Unix address only the family travels")
{
    const auto address = to_wire(sys::SocketAddress::unix_path("/run/x.sock"));
    CHECK(address == wire::Address{.family = wire::AddressFamily::unix_domain});
}

TEST_CASE("an unknown address stays unknown")
{
    CHECK(to_wire(sys::SocketAddress{}) == wire::Address{});
}

TEST_SUITE_END();

} // namespace usher::handoff_address_test
