// SPDX-License-Identifier: MIT
#include "common/sys/socket/channel_pair.hpp"

#include "tests/support/fds.hpp"
#include "tests/support/no_fd_leak.hpp"

#include <doctest/doctest.h>

#include <array>
#include <system_error>
#include <tuple>

#include <sys/socket.h>

namespace usher::channel_pair_test {

using namespace usher::sys;
using namespace usher::test;

TEST_SUITE_BEGIN("channel_pair");

TEST_CASE_FIXTURE(NoFdLeak, "both ends are non-blocking and close-on-exec")
{
    const ChannelPair pair = make_channel_pair();
    for (const int fd : {pair.parent.get(), pair.child.get()}) {
        CHECK(is_non_blocking(fd));
        CHECK(is_close_on_exec(fd));
    }
}

TEST_CASE_FIXTURE(NoFdLeak, "packets keep their borders, both ways")
{
    const ChannelPair pair = make_channel_pair();
    std::array<char, 16> buffer{};

    REQUIRE(::send(pair.parent.get(), "one", 3, 0) == 3);
    REQUIRE(::send(pair.parent.get(), "three", 5, 0) == 5);
    CHECK(::recv(pair.child.get(), buffer.data(), buffer.size(), 0) == 3);
    CHECK(::recv(pair.child.get(), buffer.data(), buffer.size(), 0) == 5);

    REQUIRE(::send(pair.child.get(), "back", 4, 0) == 4);
    CHECK(::recv(pair.parent.get(), buffer.data(), buffer.size(), 0) == 4);
}

TEST_CASE_FIXTURE(NoFdLeak, "a dead peer reads as end of file, after what it sent")
{
    ChannelPair pair = make_channel_pair();
    std::array<char, 16> buffer{};
    REQUIRE(::send(pair.parent.get(), "last", 4, 0) == 4);
    pair.parent.reset();

    CHECK(::recv(pair.child.get(), buffer.data(), buffer.size(), 0) == 4);
    CHECK(::recv(pair.child.get(), buffer.data(), buffer.size(), 0) == 0);
}

TEST_CASE_FIXTURE(NoFdLeak, "without a free descriptor it throws and leaves none behind")
{
    const auto make_at_limit = [] {
        const ScopedFdLimit limit{1};
        return make_channel_pair();
    };
    CHECK_THROWS_AS(std::ignore = make_at_limit(), std::system_error);
}

TEST_CASE_FIXTURE(NoFdLeak, "a stream pair joins what is sent, and is otherwise the same")
{
    ChannelPair pair = make_stream_pair();
    for (const int fd : {pair.parent.get(), pair.child.get()}) {
        CHECK(is_non_blocking(fd));
        CHECK(is_close_on_exec(fd));
    }
    std::array<char, 16> buffer{};
    REQUIRE(::send(pair.parent.get(), "one", 3, 0) == 3);
    REQUIRE(::send(pair.parent.get(), "three", 5, 0) == 5);
    CHECK(::recv(pair.child.get(), buffer.data(), buffer.size(), 0) == 8);
    pair.parent.reset();
    CHECK(::recv(pair.child.get(), buffer.data(), buffer.size(), 0) == 0);
}

TEST_SUITE_END();

} // namespace usher::channel_pair_test
