// SPDX-License-Identifier: MIT
#include "common/sys/socket/socket_address.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string>
#include <tuple>

#include <netinet/in.h>
#include <sys/un.h>

namespace usher::socket_address_test {

using namespace usher::sys;

namespace {

constexpr std::array<std::uint8_t, 4> ip4{192, 0, 2, 1};
constexpr std::array<std::uint8_t, 16> ip6{0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};

SocketAddress unnamed_unix()
{
    const sockaddr unnamed{.sa_family = AF_UNIX, .sa_data = {}};
    return {&unnamed, sizeof unnamed.sa_family};
}

} // namespace

TEST_SUITE_BEGIN("socket_address");

TEST_CASE("an IPv4 address has four bytes and a port")
{
    const auto address = SocketAddress::ipv4(ip4, 8000);
    CHECK(address.family() == AF_INET);
    CHECK(address.size() == sizeof(sockaddr_in));
    CHECK(address.port() == 8000);
    CHECK(std::ranges::equal(address.ip_bytes(), ip4));
    CHECK(address.scope_id() == 0);
    CHECK(address.path().empty());
    CHECK(address.to_string() == "192.0.2.1:8000");
}

TEST_CASE("an IPv6 address has sixteen bytes, a port and a scope")
{
    const auto address = SocketAddress::ipv6(ip6, 8000, 7);
    CHECK(address.family() == AF_INET6);
    CHECK(address.size() == sizeof(sockaddr_in6));
    CHECK(address.port() == 8000);
    CHECK(std::ranges::equal(address.ip_bytes(), ip6));
    CHECK(address.scope_id() == 7);
    CHECK(address.to_string() == "[fe80::1%7]:8000");
    CHECK(SocketAddress::ipv6(ip6, 1, 0).to_string() == "[fe80::1]:1");
}

TEST_CASE("a Unix address has a path and no port")
{
    auto address = SocketAddress::unix_path("/run/x.sock");
    CHECK(address.family() == AF_UNIX);
    CHECK(address.path() == "/run/x.sock");
    CHECK(address.ip_bytes().empty());
    CHECK(address.to_string() == "unix:/run/x.sock");

    address.set_port(80);
    CHECK(address.port() == 0);
    CHECK(address.path() == "/run/x.sock");
}

TEST_CASE("an abstract Unix address has a name and no path, and no byte more than that")
{
    const auto address = SocketAddress::unix_name("my name");
    CHECK(address.family() == AF_UNIX);
    CHECK(address.size() == offsetof(sockaddr_un, sun_path) + 1 + 7);
    CHECK(address.name() == "my name");
    CHECK(address.path().empty());
    CHECK(address.to_string() == "unix:@my name");
    CHECK(SocketAddress::unix_path("@x").name().empty());
    CHECK(unnamed_unix().name().empty());

    const std::string longest(107, 'n');
    CHECK(SocketAddress::unix_name(longest).name() == longest);
    CHECK(SocketAddress::unix_name(longest).size() == sizeof(sockaddr_un));
    CHECK_THROWS_WITH_AS(std::ignore = SocketAddress::unix_name(longest + "n"),
                         "the name of a Unix socket has at most 107 bytes, this has 108",
                         std::invalid_argument);
}

TEST_CASE("an unnamed Unix peer has an empty path")
{
    CHECK(unnamed_unix().path().empty());
    CHECK(unnamed_unix().to_string() == "unix:");
}

TEST_CASE("an unspecified address has no family, size or port")
{
    SocketAddress address;
    address.set_port(80);
    CHECK(address.family() == AF_UNSPEC);
    CHECK(address.size() == 0);
    CHECK(address.port() == 0);
    CHECK(address.ip_bytes().empty());
    CHECK(address.to_string() == "unknown");
}

TEST_CASE("the port can be changed")
{
    auto v4 = SocketAddress::ipv4(ip4, 0);
    v4.set_port(65535);
    CHECK(v4.to_string() == "192.0.2.1:65535");

    auto v6 = SocketAddress::ipv6(ip6, 0, 0);
    v6.set_port(443);
    CHECK(v6.to_string() == "[fe80::1]:443");
}

TEST_CASE("a path of 107 bytes fits, one of 108 is refused with both numbers")
{
    const std::string longest(107, 'p');
    CHECK(SocketAddress::unix_path(longest).path() == longest);
    CHECK(SocketAddress::unix_path(longest).size() == sizeof(sockaddr_un));
    CHECK_THROWS_WITH_AS(std::ignore = SocketAddress::unix_path(longest + "p"),
                         "a Unix socket path has at most 107 bytes, this has 108",
                         std::invalid_argument);
}

TEST_CASE("an address from the kernel keeps its bytes, and no more than fit")
{
    const auto original = SocketAddress::ipv6(ip6, 8000, 7);
    CHECK(SocketAddress{original.data(), original.size()}.to_string() == original.to_string());

    const sockaddr_storage storage{};
    CHECK(SocketAddress{reinterpret_cast<const sockaddr*>(&storage), sizeof storage}.size() ==
          SocketAddress::capacity());
}

TEST_SUITE_END();

} // namespace usher::socket_address_test
