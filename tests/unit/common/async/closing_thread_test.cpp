// SPDX-License-Identifier: MIT
#include "common/async/closing_thread.hpp"

#include "common/sys/fd/pipe.hpp"
#include "common/sys/socket/channel_pair.hpp"
#include "common/sys/socket/fd_message.hpp"
#include "tests/support/fds.hpp"
#include "tests/support/no_fd_leak.hpp"
#include "tests/support/sockets.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace {

std::atomic<int> receive_calls{0};

} // namespace

/// In place of the C library's, to count.
// NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): the system's are reserved
extern "C" ssize_t recvmsg(int socket, msghdr* message, int flags)
{
    ++receive_calls;
    return ::syscall(SYS_recvmsg, socket, message, flags);
}

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

TEST_CASE("who also has a connection keeps what it asked for of its close, unless that waits")
{
    const auto listener = listen_on(loopback(0));
    const auto left_of = [&](const linger& asked) {
        const auto theirs = connect_to(listener.address);
        REQUIRE(::setsockopt(theirs.get(), SOL_SOCKET, SO_LINGER, &asked, sizeof asked) == 0);
        auto ours = duplicate(theirs.get());
        const int number = ours.get();
        CHECK(close_elsewhere(std::move(ours)));
        CHECK(eventually([&] { return !is_open(number); }));
        linger left{};
        socklen_t size = sizeof left;
        REQUIRE(::getsockopt(theirs.get(), SOL_SOCKET, SO_LINGER, &left, &size) == 0);
        return left;
    };
    CHECK(left_of({.l_onoff = 1, .l_linger = 0}).l_onoff == 1); // reset at once
    CHECK(left_of({.l_onoff = 1, .l_linger = 5}).l_onoff == 0);
}

TEST_CASE("a queue is read to its end, and no further")
{
    for (const int type : {SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM}) {
        CAPTURE(type);
        for (const int messages : {0, 1, 3}) {
            CAPTURE(messages);
            const NoFdLeak no_leak;
            auto queue = sys::make_channel_pair(type);
            const int on = 1;
            REQUIRE(::setsockopt(queue.parent.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on) == 0);
            const std::byte byte{};
            // An empty packet looks like the end, and may have others behind it.
            const std::span payload{&byte, type == SOCK_STREAM ? 1U : 0U};
            for (int i = 0; i < messages; ++i)
                REQUIRE(::send(queue.child.get(), payload.data(), payload.size(), MSG_NOSIGNAL) ==
                        static_cast<ssize_t>(payload.size()));
            ::shutdown(queue.parent.get(), SHUT_RDWR);
            const auto before = open_fd_count() - 1;
            receive_calls = 0;
            CHECK(drain_elsewhere(std::move(queue.parent)));
            CHECK(eventually([&] { return receive_calls > 0 && open_fd_count() <= before; }));
            CHECK(receive_calls == (type == SOCK_STREAM ? std::min(messages, 1) : messages) + 1);
        }
    }
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
