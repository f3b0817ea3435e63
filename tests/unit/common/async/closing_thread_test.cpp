// SPDX-License-Identifier: MIT
#include "common/async/closing_thread.hpp"

#include "common/sys/fd/pipe.hpp"
#include "common/sys/socket/channel_pair.hpp"
#include "common/sys/socket/fd_message.hpp"
#include "tests/support/no_fd_leak.hpp"
#include "tests/support/sockets.hpp"

#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include <sys/socket.h>
#include <unistd.h>

namespace usher::closing_thread_test {

using namespace usher::test;

namespace {

/// A connection whose last close waits for 2 s.
sys::UniqueFd lingering(const sys::SocketAddress& address)
{
    auto client = connect_to(address);
    const std::vector<char> much(1 << 16);
    while (::send(client.get(), much.data(), much.size(), MSG_DONTWAIT | MSG_NOSIGNAL) > 0) {
    }
    constexpr linger lasting{.l_onoff = 1, .l_linger = 2};
    REQUIRE(::setsockopt(client.get(), SOL_SOCKET, SO_LINGER, &lasting, sizeof lasting) == 0);
    return client;
}

} // namespace

TEST_SUITE_BEGIN("closing_thread");

TEST_CASE("what is given to it is closed, and nothing is no fault")
{
    const NoFdLeak no_leak;
    auto pipe = sys::make_pipe_to_read();
    std::vector<sys::UniqueFd> fds;
    fds.push_back(std::move(pipe.writer));
    fds.emplace_back();
    CHECK(close_elsewhere(fds));
    CHECK(fds.empty());
    char c = 0;
    CHECK(eventually([&] { return ::read(pipe.reader.get(), &c, 1) == 0; }));
}

TEST_CASE("a close that waits keeps neither us nor the others")
{
    const NoFdLeak no_leak;
    const auto listener = listen_on(loopback(0));
    auto client = lingering(listener.address);
    const auto start = std::chrono::steady_clock::now();
    CHECK(close_elsewhere(std::move(client)));
    auto pipe = sys::make_pipe_to_read();
    CHECK(close_elsewhere(std::move(pipe.writer)));
    char c = 0;
    CHECK(eventually([&] { return ::read(pipe.reader.get(), &c, 1) == 0; }));
    CHECK(std::chrono::steady_clock::now() - start < 1s);
}

TEST_CASE("queues whose emptying waits do not stand before connections")
{
    const NoFdLeak no_leak;
    const auto listener = listen_on(loopback(0));
    for (int i = 0; i < 10; ++i) {
        auto queue = sys::make_channel_pair(SOCK_SEQPACKET);
        const auto client = lingering(listener.address);
        const std::byte byte{};
        REQUIRE(
            !sys::send_with_fds(queue.child.get(), std::span{&byte, 1}, std::array{client.get()}));
        CHECK(drain_elsewhere(std::move(queue.parent)));
    }
    auto connection = sys::make_stream_pair();
    const auto start = std::chrono::steady_clock::now();
    CHECK(close_elsewhere(std::move(connection.parent)));
    char c = 0;
    CHECK(eventually([&] { return ::recv(connection.child.get(), &c, 1, 0) == 0; }));
    CHECK(std::chrono::steady_clock::now() - start < 1s);
}

TEST_SUITE_END();

} // namespace usher::closing_thread_test
