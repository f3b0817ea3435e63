// SPDX-License-Identifier: MIT
#include "balancer/listen/listening_socket.hpp"

#include "tests/support/fds.hpp"
#include "tests/support/no_fd_leak.hpp"
#include "tests/support/sockets.hpp"

#include <doctest/doctest.h>

#include <array>
#include <string>
#include <system_error>
#include <tuple>

#include <netinet/in.h>

namespace usher::listening_socket_test {

using namespace usher::test;

namespace {

std::vector<ListeningSocket> open(const std::string& address, bool v6only = false)
{
    return open_listeners({.address = address, .v6only = v6only, .mode = {}}, 16);
}

ListeningSocket open_one(const std::string& address, bool v6only = false)
{
    auto sockets = open(address, v6only);
    REQUIRE(sockets.size() == 1);
    return std::move(sockets.front());
}

sys::SocketAddress loopback6(std::uint16_t port)
{
    std::array<std::uint8_t, 16> address{};
    address.back() = 1;
    return sys::SocketAddress::ipv6(address, port, 0);
}

bool has_ipv6()
{
    try {
        std::ignore = listen_on(loopback6(0));
        return true;
    } catch (const std::system_error&) {
        MESSAGE("this machine has no IPv6 loopback: skipped");
        return false;
    }
}

bool can_connect(const sys::SocketAddress& address)
{
    try {
        std::ignore = connect_to(address);
        return true;
    } catch (const std::system_error&) {
        return false;
    }
}

/// The message of the AddressInUse that opening `address` ends with.
std::string refusal_of(const std::string& address)
{
    try {
        std::ignore = open(address);
    } catch (const AddressInUse& error) {
        return error.what();
    }
    return "not refused";
}

} // namespace

TEST_SUITE_BEGIN("listening_socket");

TEST_CASE_FIXTURE(NoFdLeak, "port 0 becomes a real port that can be connected to")
{
    const auto socket = open_one("127.0.0.1:0");
    CHECK(socket.address.port() != 0);
    CHECK(socket.address.to_string() == address_of(socket.fd.get()).to_string());
    CHECK(can_connect(socket.address));
}

TEST_CASE_FIXTURE(NoFdLeak, "a listening socket is non-blocking and close-on-exec")
{
    const auto socket = open_one("127.0.0.1:0");
    CHECK(is_non_blocking(socket.fd.get()));
    CHECK(is_close_on_exec(socket.fd.get()));
}

TEST_CASE_FIXTURE(NoFdLeak, "[::] takes IPv4 as well, unless it is v6only")
{
    if (!has_ipv6())
        return;
    const auto both = open_one("[::]:0");
    CHECK(can_connect(loopback6(both.address.port())));
    CHECK(can_connect(loopback(both.address.port())));

    const auto v6 = open_one("[::]:0", true);
    CHECK(can_connect(loopback6(v6.address.port())));
    CHECK_FALSE(can_connect(loopback(v6.address.port())));
}

TEST_CASE_FIXTURE(NoFdLeak, "a bare port listens everywhere")
{
    const auto socket = open_one("0");
    CHECK(can_connect(loopback(socket.address.port())));
    if (has_ipv6())
        CHECK(can_connect(loopback6(socket.address.port())));
}

TEST_CASE_FIXTURE(NoFdLeak, "all addresses of a name get the same port")
{
    const auto sockets = open("localhost:0");
    REQUIRE_FALSE(sockets.empty());
    for (const auto& socket : sockets) {
        CHECK(socket.address.port() != 0);
        CHECK(socket.address.port() == sockets.front().address.port());
        CHECK(can_connect(socket.address));
    }
}

TEST_CASE_FIXTURE(NoFdLeak, "a port that somebody listens on is refused by name, and they go on")
{
    const auto first = open_one("127.0.0.1:0");
    const auto name = first.address.to_string();
    CHECK(refusal_of(name) == name + ": another process listens there already; stop it, or choose "
                                     "another port (\"listen\" of the pool, or --listen)");
    CHECK(can_connect(first.address));
}

TEST_CASE_FIXTURE(NoFdLeak, "a port can be listened on again while old connections linger")
{
    std::uint16_t port = 0;
    {
        const auto socket = open_one("127.0.0.1:0");
        port = socket.address.port();
        const auto client = connect_to(socket.address);
        const sys::UniqueFd server{::accept4(socket.fd.get(), nullptr, nullptr, SOCK_CLOEXEC)};
        REQUIRE(server); // closed before the client's end, so the port is in TIME_WAIT here
    }
    CHECK(open_one("127.0.0.1:" + std::to_string(port)).address.port() == port);
}

TEST_CASE_FIXTURE(NoFdLeak, "an address that this machine does not have is an error with its name")
{
    try {
        std::ignore = open("192.0.2.1:0");
        FAIL("was opened");
    } catch (const std::system_error& error) {
        CHECK(error.code() == std::errc::address_not_available);
        CHECK(std::string{error.what()}.starts_with("192.0.2.1:0: "));
    }
}

TEST_SUITE_END();

} // namespace usher::listening_socket_test
