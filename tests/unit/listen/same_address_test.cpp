// SPDX-License-Identifier: MIT
#include "balancer/listen/same_address.hpp"

#include <doctest/doctest.h>

#include <array>

namespace usher::same_address_test {

using sys::SocketAddress;

namespace {

SocketAddress v4(std::uint8_t last, std::uint16_t port)
{
    const std::array<std::uint8_t, 4> bytes{127, 0, 0, last};
    return SocketAddress::ipv4(bytes, port);
}

SocketAddress any6(std::uint16_t port)
{
    return SocketAddress::ipv6(std::array<std::uint8_t, 16>{}, port, 0);
}

} // namespace

TEST_SUITE_BEGIN("same_address");

TEST_CASE("one place is one address and port, or one path however it is written")
{
    CHECK(is_same(v4(1, 80), v4(1, 80)));
    CHECK_FALSE(is_same(v4(1, 80), v4(1, 81)));
    CHECK_FALSE(is_same(v4(1, 80), v4(2, 80)));
    CHECK(is_same(SocketAddress::unix_path("a"), SocketAddress::unix_path("./b/../a")));
    CHECK_FALSE(is_same(SocketAddress::unix_path("a"), SocketAddress::unix_path("b")));
    CHECK_FALSE(is_same(SocketAddress::unix_path("a"), v4(1, 80)));
}

TEST_CASE("a listener on every interface is in the way of others on its port")
{
    CHECK(overlap(any6(80), v4(1, 80)));
    CHECK(overlap(v4(1, 80), any6(80)));
    CHECK_FALSE(overlap(any6(80), v4(1, 81)));
    CHECK_FALSE(overlap(v4(1, 80), v4(2, 80)));
}

TEST_SUITE_END();

} // namespace usher::same_address_test
