// SPDX-License-Identifier: MIT
#include "common/async/closing_thread.hpp"

#include "common/sys/fd/pipe.hpp"
#include "tests/support/no_fd_leak.hpp"
#include "tests/support/sockets.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <utility>
#include <vector>

#include <sys/socket.h>
#include <unistd.h>

namespace usher::closing_thread_test {

using namespace usher::test;

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
    auto client = connect_to(listener.address);
    const std::vector<char> much(1 << 16);
    while (::send(client.get(), much.data(), much.size(), MSG_DONTWAIT | MSG_NOSIGNAL) > 0) {
    }
    constexpr linger lasting{.l_onoff = 1, .l_linger = 2};
    REQUIRE(::setsockopt(client.get(), SOL_SOCKET, SO_LINGER, &lasting, sizeof lasting) == 0);
    const auto start = std::chrono::steady_clock::now();
    CHECK(close_elsewhere(std::move(client)));
    auto pipe = sys::make_pipe_to_read();
    CHECK(close_elsewhere(std::move(pipe.writer)));
    char c = 0;
    CHECK(eventually([&] { return ::read(pipe.reader.get(), &c, 1) == 0; }));
    CHECK(std::chrono::steady_clock::now() - start < 1s);
}

TEST_SUITE_END();

} // namespace usher::closing_thread_test
