// SPDX-License-Identifier: MIT
#include "balancer/listen/reuseport_group.hpp"

#include "balancer/listen/listening_socket.hpp"
#include "common/sys/socket/accept.hpp"
#include "common/sys/socket/bound_socket.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/no_fd_leak.hpp"
#include "tests/support/sockets.hpp"

#include <doctest/doctest.h>

#include <cerrno>
#include <chrono>
#include <optional>
#include <set>
#include <vector>

#include <fcntl.h>
#include <linux/filter.h>
#include <sys/socket.h>
#include <unistd.h>

namespace usher::reuseport_group_test {

using namespace usher::test;
using namespace std::chrono_literals;

namespace {

struct Fixture : NoFdLeak {
    std::optional<ReuseportGroup> group;
    sys::SocketAddress address;

    Fixture()
    {
        auto held = open_listeners({.address = "127.0.0.1:0"}, 512, SocketUse::share);
        address = held.front().address;
        group.emplace(std::move(held.front().fd), address, false, 512);
    }

    /// How many of `count` connections wait in each of `sockets`.
    std::vector<std::size_t> spread(const std::vector<int>& sockets, std::size_t count) const
    {
        std::vector<sys::UniqueFd> clients;
        for (std::size_t i = 0; i < count; ++i)
            clients.push_back(connect_to(address));
        std::vector<std::size_t> result;
        for (const int socket : sockets)
            result.push_back(sys::waiting_in_backlog(socket).value());
        for (const int socket : sockets)
            while (const sys::UniqueFd taken{::accept(socket, nullptr, nullptr)}) {
            }
        return result;
    }

    /// Each of `sockets` gets what is steered to it alone.
    void check_each(const std::vector<int>& sockets)
    {
        for (const int socket : sockets) {
            CAPTURE(socket);
            REQUIRE_FALSE(group->steer({socket}));
            const auto counts = spread(sockets, 20);
            for (std::size_t i = 0; i < sockets.size(); ++i)
                CHECK(counts[i] == (sockets[i] == socket ? 20 : 0));
        }
    }

    /// A client whose connection may take a while.
    static sys::UniqueFd start_connecting(const sys::SocketAddress& address)
    {
        sys::UniqueFd client{
            ::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
        REQUIRE(
            (::connect(client.get(), address.data(), address.size()) == 0 || errno == EINPROGRESS));
        return client;
    }

    /// Whoever connects is answered, if all of `sockets` are steered to.
    void check_answered(const std::vector<int>& sockets)
    {
        REQUIRE_FALSE(group->steer({sockets.begin(), sockets.end()}));
        std::vector<sys::UniqueFd> clients;
        for (int i = 0; i < 50; ++i)
            clients.push_back(start_connecting(address));
        CHECK(eventually(
            [&] {
                std::size_t waiting = 0;
                for (const int socket : sockets)
                    waiting += sys::waiting_in_backlog(socket).value();
                return waiting == clients.size();
            },
            5s));
        std::ignore = spread(sockets, 0); // accepts them
    }
};

} // namespace

TEST_SUITE_BEGIN("reuseport_group");

TEST_CASE_FIXTURE(Fixture, "nobody listens before the first socket is added")
{
    CHECK_THROWS(std::ignore = connect_to(address));
    const int socket = group->add();
    CHECK(spread({socket}, 3) == std::vector<std::size_t>{3});
}

TEST_CASE_FIXTURE(Fixture, "connections go where they are steered, and nowhere else")
{
    const std::vector sockets{group->add(), group->add(), group->add(), group->add()};
    constexpr std::size_t many = 200;

    REQUIRE_FALSE(group->steer({sockets[1], sockets[3]}));
    auto counts = spread(sockets, many);
    CHECK(counts[0] == 0);
    CHECK(counts[2] == 0);
    CHECK(counts[1] > 0); // 200 tosses of a coin on one side: less than 1 in 10^60
    CHECK(counts[3] > 0);
    CHECK(counts[1] + counts[3] == many);

    REQUIRE_FALSE(group->steer({sockets[2]}));
    CHECK(spread(sockets, 10) == std::vector<std::size_t>{0, 0, 10, 0});

    REQUIRE_FALSE(group->steer({sockets.begin(), sockets.end()}));
    counts = spread(sockets, many);
    for (const auto count : counts)
        CHECK(count > 0);
}

TEST_CASE_FIXTURE(Fixture, "a socket that is added later gets nothing before it is steered to")
{
    const int first = group->add();
    REQUIRE_FALSE(group->steer({first}));
    const int second = group->add();
    CHECK(spread({first, second}, 50) == std::vector<std::size_t>{50, 0});
    REQUIRE_FALSE(group->steer({second}));
    CHECK(spread({first, second}, 50) == std::vector<std::size_t>{0, 50});
}

TEST_CASE_FIXTURE(
    Fixture, "a socket can be taken out, also while others have it, and the rest is still steered")
{
    std::vector sockets{group->add(), group->add(), group->add(), group->add()};
    const sys::UniqueFd copy{::fcntl(sockets[1], F_DUPFD_CLOEXEC, 0)};
    group->remove(sockets[1]);
    sockets.erase(sockets.begin() + 1);
    check_each(sockets);
}

namespace {

/// What a worker could do with a socket that it has been given; false: it may not.
bool filter_all(int socket)
{
    sock_filter nothing{.code = BPF_RET | BPF_K, .jt = 0, .jf = 0, .k = 0};
    const sock_fprog program{.len = 1, .filter = &nothing};
    return ::setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0 ||
           ::setsockopt(socket, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof program) ==
               0;
}

} // namespace

TEST_CASE_FIXTURE(Fixture, "sockets of a locked group cannot be filtered, and are still steered")
{
    std::vector<int> sockets;
    const auto check_all = [&] {
        for (const int socket : sockets)
            CHECK_FALSE(filter_all(socket));
        check_each(sockets);
    };
    SUBCASE("before there is one")
    {
        group->lock();
        CHECK_THROWS(std::ignore = connect_to(address));
    }
    SUBCASE("when there are some")
    {
        sockets = {group->add(), group->add()};
        REQUIRE_FALSE(group->steer({sockets.back()}));
        group->lock();
        check_all();
    }
    for (int i = 0; i < 3; ++i)
        sockets.push_back(group->add());
    group->lock(); // again
    check_all();
    while (!sockets.empty()) {
        group->remove(sockets.front());
        sockets.erase(sockets.begin());
        check_all();
    }
    CHECK_THROWS(std::ignore = connect_to(address)); // rather than wait where nobody accepts
    sockets = {group->add(), group->add()};
    check_all();
}

TEST_CASE_FIXTURE(Fixture, "who shuts a socket down puts nobody else in its place")
{
    SUBCASE("of one's own user") {}
    SUBCASE("of another user")
    {
        group->lock();
    }
    std::vector sockets{group->add(), group->add(), group->add(), group->add()};
    const int shut = sockets.front();
    REQUIRE(::shutdown(shut, SHUT_RDWR) == 0);
    sockets.erase(sockets.begin());
    SUBCASE("and is taken out at once") {}
    SUBCASE("and others come before it is taken out")
    {
        sockets.push_back(group->add());
        check_each(sockets);
    }
    SUBCASE("and others go before it is taken out")
    {
        group->remove(sockets.front());
        sockets.erase(sockets.begin());
        check_each(sockets);
    }
    group->remove(shut);
    check_each(sockets);
    sockets.push_back(group->add());
    check_each(sockets);
}

TEST_CASE_FIXTURE(Fixture,
                  "who listens again after it was found shut is last, and steered to again")
{
    SUBCASE("of one's own user") {}
    SUBCASE("of another user")
    {
        group->lock();
    }
    std::vector sockets{group->add(), group->add(), group->add()};
    REQUIRE(::shutdown(sockets[0], SHUT_RDWR) == 0);
    REQUIRE_FALSE(group->steer({sockets[1]})); // looks
    REQUIRE(::listen(sockets[0], 512) == 0);
    check_each(sockets);
    sockets.push_back(group->add());
    check_each(sockets);
}

TEST_CASE_FIXTURE(Fixture, "what is taken out listens no longer, also if it was found shut before")
{
    const int socket = group->add();
    const int other = group->add();
    const sys::UniqueFd copy{::fcntl(socket, F_DUPFD_CLOEXEC, 0)};
    REQUIRE(::shutdown(socket, SHUT_RDWR) == 0);
    REQUIRE_FALSE(group->steer({other})); // looks
    SUBCASE("and listens again when it is taken out")
    {
        REQUIRE(::listen(copy.get(), 512) == 0);
    }
    SUBCASE("and is taken out as it is") {}
    group->remove(socket);
    CHECK(sys::socket_option(copy.get(), SO_ACCEPTCONN) == 0);
    check_each({other});
}

namespace {

void listen_again(int socket)
{
    REQUIRE(::shutdown(socket, SHUT_RDWR) == 0);
    REQUIRE(::listen(socket, 512) == 0);
}

} // namespace

TEST_CASE_FIXTURE(Fixture, "who shuts its socket down and listens again unseen silences nobody")
{
    group->lock();
    std::vector sockets{group->add()};
    SUBCASE("alone")
    {
        listen_again(sockets.front());
        check_answered(sockets);
        check_each(sockets);
    }
    SUBCASE("beside another, which counts again once the first is taken out")
    {
        sockets.push_back(group->add());
        listen_again(sockets.front());
        check_answered(sockets);
        group->remove(sockets.front());
        sockets.erase(sockets.begin());
        check_answered(sockets);
        check_each(sockets);
    }
    SUBCASE("before others come and itself goes")
    {
        listen_again(sockets.front());
        sockets.push_back(group->add());
        sockets.push_back(group->add());
        check_answered(sockets);
        group->remove(sockets.front());
        sockets.erase(sockets.begin());
        check_answered(sockets);
    }
}

TEST_CASE_FIXTURE(Fixture,
                  "who listens again unseen silences nobody where the sockets were locked later")
{
    const std::vector before{group->add(), group->add()};
    group->lock();
    std::vector sockets{group->add()};
    for (const int socket : before)
        group->remove(socket);
    check_each(sockets);
    listen_again(sockets.front());
    check_answered(sockets);
    sockets.push_back(group->add());
    check_each(sockets);
}

TEST_CASE_FIXTURE(Fixture, "another user's socket that was taken out never listens again" *
                               doctest::skip(::geteuid() != 0))
{
    group->lock();
    const int first = group->add();
    std::vector sockets{group->add()};
    const sys::UniqueFd copy{::fcntl(first, F_DUPFD_CLOEXEC, 0)};
    group->remove(first);
    CHECK(::listen(copy.get(), 512) < 0);
    sockets.push_back(group->add());
    check_each(sockets);
}

TEST_CASE_FIXTURE(Fixture, "nobody is lost to the guard while a worker has ended the steering")
{
    group->lock();
    const int socket = group->add();
    REQUIRE_FALSE(group->steer({socket}));
    const int ignored = 0;
    REQUIRE(::setsockopt(socket, SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, &ignored, sizeof ignored) ==
            0);
    constexpr std::size_t many = 200; // at least one goes astray, but for one case in 10^60
    std::vector<sys::UniqueFd> clients;
    for (std::size_t i = 0; i < many; ++i)
        clients.push_back(start_connecting(address));
    CHECK(sys::waiting_in_backlog(socket).value() < many);
    REQUIRE_FALSE(group->steer({socket}));
    CHECK(eventually([&] { return sys::waiting_in_backlog(socket).value() == many; }, 20s));
}

TEST_CASE_FIXTURE(Fixture, "as many sockets as a pool may have workers can be steered to")
{
    std::set<int> all;
    for (int i = 0; i < 1024; ++i)
        all.insert(group->add());
    CHECK_FALSE(group->steer(all));
}

TEST_CASE_FIXTURE(Fixture, "an address that others listen on is refused, shared or not")
{
    std::ignore = group->add();
    CHECK_THROWS_AS(std::ignore =
                        open_listeners({.address = address.to_string()}, 1, SocketUse::share),
                    AddressInUse);
    CHECK_THROWS_AS(std::ignore = open_listeners({.address = address.to_string()}, 1),
                    AddressInUse);
}

TEST_SUITE_END();

} // namespace usher::reuseport_group_test
