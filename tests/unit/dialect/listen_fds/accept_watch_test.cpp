// SPDX-License-Identifier: MIT
#include "balancer/dialect/listen_fds/accept_watch.hpp"

#include "balancer/dialect/proc.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/sockets.hpp"

#include <doctest/doctest.h>

#include <thread>

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace usher::accept_watch_test {

using namespace usher::test;

TEST_SUITE_BEGIN("accept_watch");

TEST_CASE("a socket in an epoll is seen, under whatever number, and none of others")
{
    const auto ours = listen_on(loopback(0));
    const auto another = listen_on(loopback(0));
    const auto watched = proc::inodes_of({ours.fd.get()});
    CHECK_FALSE(waits_on(watched, ::getpid()));

    const sys::UniqueFd epoll{::epoll_create1(EPOLL_CLOEXEC)};
    epoll_event event{.events = EPOLLIN, .data = {}};
    REQUIRE(::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, another.fd.get(), &event) == 0);
    CHECK_FALSE(waits_on(watched, ::getpid()));

    const sys::UniqueFd copy{::fcntl(ours.fd.get(), F_DUPFD_CLOEXEC, 0)};
    REQUIRE(::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, copy.get(), &event) == 0);
    CHECK(waits_on(watched, ::getpid()));
    // That may be behind more than anybody looks at.
    CHECK_FALSE(waits_on(watched, ::getpid(), proc::Walk{{.entries = 2}}));
}

TEST_CASE("a thread that waits in accept is seen")
{
    const auto listener = listen_on(loopback(0));
    const auto watched = proc::inodes_of({listener.fd.get()});
    REQUIRE(::fcntl(listener.fd.get(), F_SETFL, 0) == 0); // blocking
    std::jthread thread{[&] {
        const sys::UniqueFd taken{::accept4(listener.fd.get(), nullptr, nullptr, SOCK_CLOEXEC)};
    }};
    CHECK(eventually([&] { return waits_on(watched, ::getpid()); }));
    const auto client = connect_to(listener.address); // lets it go on
}

TEST_CASE("a process that is gone waits for nothing")
{
    const auto listener = listen_on(loopback(0));
    CHECK_FALSE(waits_on(proc::inodes_of({listener.fd.get()}), 0x3fffffff));
}

TEST_SUITE_END();

} // namespace usher::accept_watch_test
