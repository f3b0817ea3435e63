// SPDX-License-Identifier: MIT
#include "balancer/listen/inherited_sockets.hpp"

#include "common/sys/socket/bound_socket.hpp"
#include "tests/support/fds.hpp"
#include "tests/support/no_fd_leak.hpp"
#include "tests/support/sockets.hpp"
#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>

#include <filesystem>

#include <fcntl.h>
#include <unistd.h>

namespace usher::inherited_sockets_test {

using namespace usher::test;

namespace {

constexpr unsigned backlog = 16;

std::string text_of(std::uint16_t port)
{
    return std::to_string(port);
}

sys::SocketAddress any_ipv4(std::uint16_t port)
{
    constexpr std::array<std::uint8_t, 4> any{};
    return sys::SocketAddress::ipv4(any, port);
}

sys::SocketAddress any_ipv6(std::uint16_t port)
{
    constexpr std::array<std::uint8_t, 16> any{};
    return sys::SocketAddress::ipv6(any, port, 0);
}

/// A socket for IPv6 alone, or as systemd makes it of a port.
sys::UniqueFd listen_everywhere(bool v6only)
{
    sys::UniqueFd fd;
    REQUIRE_FALSE(sys::open_bound_socket(any_ipv6(0), {.v6only = v6only, .backlog = 16}, fd));
    return fd;
}

/// Why `fd` is refused.
std::string refusal(sys::UniqueFd fd)
{
    InheritedSockets sockets;
    try {
        sockets.add(std::move(fd), "web");
        return "taken";
    } catch (const std::runtime_error& error) {
        const std::string text = error.what();
        return text.substr(text.find(" (")); // its number is any
    }
}

} // namespace

TEST_SUITE_BEGIN("inherited_sockets");

TEST_CASE_FIXTURE(NoFdLeak, "the name decides first, then the address")
{
    InheritedSockets sockets;
    auto named = listen_on(loopback(0));
    auto bound = listen_on(loopback(0));
    const auto port = bound.address.port();
    sockets.add(std::move(bound.fd), "usher.socket");
    sockets.add(std::move(named.fd), "web");

    const ListenConfig by_address{.address = "127.0.0.1:" + text_of(port)};
    const ListenConfig by_name{.address = "127.0.0.1:1", .name = "web"};
    const ListenConfig other{.address = "127.0.0.1:2", .name = "Web"};
    CHECK(sockets.assign({by_address, other, by_name}).empty());

    CHECK(sockets.take(other, backlog).empty());
    const auto first = sockets.take(by_address, backlog);
    REQUIRE(first.size() == 1);
    CHECK(first[0].address.port() == port);
    const auto second = sockets.take(by_name, backlog);
    REQUIRE(second.size() == 1);
    CHECK(second[0].address.port() == named.address.port());
    CHECK(sockets.take(by_name, backlog).empty());
}

TEST_CASE_FIXTURE(NoFdLeak, "a listener gets all sockets of its name")
{
    InheritedSockets sockets;
    sockets.add(listen_on(loopback(0)).fd, "web");
    sockets.add(listen_on(loopback(0)).fd, "web");
    const ListenConfig listen{.address = "80", .name = "web"};
    CHECK(sockets.assign({listen}).empty());
    CHECK(sockets.take(listen, backlog).size() == 2);
}

TEST_CASE_FIXTURE(NoFdLeak, "an address means what it means when it is opened")
{
    const auto is_for = [](const sys::SocketAddress& where, const std::string& address) {
        InheritedSockets sockets;
        auto listener = listen_on(where);
        const auto port = text_of(listener.address.port());
        sockets.add(std::move(listener.fd), "");
        const ListenConfig listen{.address =
                                      address + (address.ends_with(':') ? port : std::string{})};
        const auto problems = sockets.assign({listen});
        CHECK(problems.empty() == !sockets.take(listen, backlog).empty());
        return problems.empty();
    };
    CHECK(is_for(any_ipv4(0), "*:"));
    CHECK(is_for(any_ipv4(0), "0.0.0.0:"));
    CHECK_FALSE(is_for(any_ipv4(0), "127.0.0.1:"));
    CHECK(is_for(loopback(0), "127.0.0.1:"));
    CHECK(is_for(loopback(0), "localhost:"));
    CHECK_FALSE(is_for(loopback(0), "*:"));
    CHECK_FALSE(is_for(loopback(0), "127.0.0.1:1"));
    CHECK_FALSE(is_for(loopback(0), "127.0.0.1:0"));

    const TempDir folder;
    const auto path = folder.path() / "s";
    const auto unix_address = [&] {
        std::filesystem::remove(path);
        return sys::SocketAddress::unix_path(path.string());
    };
    CHECK(is_for(unix_address(), "unix:" + path.string()));
    CHECK(is_for(unix_address(), "unix:" + std::filesystem::relative(path).string()));
    CHECK_FALSE(is_for(unix_address(), "unix:" + path.string() + "x"));
    CHECK_FALSE(is_for(loopback(0), "unix:" + path.string()));

    const auto name = "usher-test-" + text_of(static_cast<std::uint16_t>(::getpid()));
    CHECK(is_for(sys::SocketAddress::unix_name(name), "unix:@" + name));
    CHECK_FALSE(is_for(sys::SocketAddress::unix_name(name), "unix:@" + name + "x"));
    CHECK_FALSE(is_for(sys::SocketAddress::unix_name(name), "unix:" + name));
}

TEST_CASE_FIXTURE(NoFdLeak, "a socket for IPv6 and IPv4 is for whoever is to have all of IPv4")
{
    const auto is_for = [](bool v6only, const std::string& host) {
        InheritedSockets sockets;
        auto fd = listen_everywhere(v6only);
        const auto port = text_of(address_of(fd.get()).port());
        sockets.add(std::move(fd), "");
        const ListenConfig listen{.address = host + port};
        const auto problems = sockets.assign({listen});
        CHECK(problems.empty() == !sockets.take(listen, backlog).empty());
        return problems.empty();
    };
    CHECK(is_for(false, ""));
    CHECK(is_for(false, "[::]:"));
    CHECK(is_for(false, "0.0.0.0:"));
    CHECK_FALSE(is_for(false, "127.0.0.1:")); // who may come there is fewer
    CHECK_FALSE(is_for(false, "[::1]:"));
    CHECK(is_for(true, "[::]:"));
    CHECK_FALSE(is_for(true, "0.0.0.0:"));
}

TEST_CASE_FIXTURE(NoFdLeak, "what was closed is in the way of others there")
{
    InheritedSockets sockets;
    auto fd = listen_everywhere(false);
    const auto bound = address_of(fd.get());
    sockets.add(std::move(fd), "web");
    CHECK(sockets.obstacle_at(bound).empty()); // nobody has said that it is for none
    CHECK(sockets.assign({{.address = "1"}}).size() == 1);
    CHECK(sockets.obstacle_at(bound) == bound.to_string() + " (\"web\")");
    CHECK(sockets.obstacle_at(loopback(bound.port())) == bound.to_string() + " (\"web\")");
    CHECK(sockets.obstacle_at(loopback(1)).empty());
}

TEST_CASE_FIXTURE(NoFdLeak, "what is for nobody is named and closed")
{
    InheritedSockets sockets;
    auto listener = listen_on(loopback(0));
    const auto fd = listener.fd.get();
    sockets.add(std::move(listener.fd), "web");
    CHECK(sockets.assign({{.address = "1"}}) ==
          std::vector{listener.address.to_string() +
                      " (\"web\"), which usher was started with, is for no listener and is "
                      "closed; give one that name or that address"});
    CHECK_FALSE(is_open(fd));
}

TEST_CASE_FIXTURE(NoFdLeak, "it becomes non-blocking and close-on-exec, and its file stays")
{
    const TempDir folder;
    const auto path = folder.path() / "s";
    auto listener = listen_on(sys::SocketAddress::unix_path(path.string()));
    const int fd = listener.fd.get();
    REQUIRE(::fcntl(fd, F_SETFL, 0) == 0);
    REQUIRE(::fcntl(fd, F_SETFD, 0) == 0);
    {
        InheritedSockets sockets;
        sockets.add(std::move(listener.fd), "");
        CHECK(is_non_blocking(fd));
        CHECK(is_close_on_exec(fd));
        const ListenConfig listen{.address = "unix:" + path.string()};
        CHECK(sockets.assign({listen}).empty());
        const auto taken = sockets.take(listen, backlog);
        REQUIRE(taken.size() == 1);
        CHECK_FALSE(taken[0].file.set_rights({.mode = 0600})); // does nothing
        CHECK(std::filesystem::status(path).permissions() != std::filesystem::perms{0600});
    }
    CHECK_FALSE(is_open(fd));
    CHECK(std::filesystem::exists(path));
}

TEST_CASE_FIXTURE(NoFdLeak, "what is no listening stream socket is refused")
{
    const std::string sentence = " (\"web\"), which usher was started with, is not a listening TCP "
                                 "or Unix stream socket; in its socket unit, use ListenStream= and "
                                 "Accept=no only";
    CHECK(refusal(open_null()) == sentence);
    CHECK(refusal(sys::UniqueFd{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)}) == sentence);
    CHECK(refusal(sys::UniqueFd{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)}) == sentence);
    CHECK(refusal(sys::UniqueFd{}) == sentence);
    CHECK(refusal(std::move(make_connection().server)) == sentence);
}

TEST_SUITE_END();

} // namespace usher::inherited_sockets_test
