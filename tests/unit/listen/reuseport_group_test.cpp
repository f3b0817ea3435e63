// SPDX-License-Identifier: MIT
#include "balancer/listen/reuseport_group.hpp"

#include "balancer/listen/listening_socket.hpp"
#include "common/sys/socket/accept.hpp"
#include "tests/support/no_fd_leak.hpp"
#include "tests/support/sockets.hpp"

#include <doctest/doctest.h>

#include <optional>
#include <set>
#include <vector>

#include <fcntl.h>

namespace usher::reuseport_group_test {

using namespace usher::test;

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
    for (const int socket : sockets) {
        REQUIRE_FALSE(group->steer({socket}));
        const auto counts = spread(sockets, 20);
        for (std::size_t i = 0; i < sockets.size(); ++i)
            CHECK(counts[i] == (sockets[i] == socket ? 20 : 0));
    }
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
