// SPDX-License-Identifier: MIT
#include "common/sys/socket/fd_message.hpp"

#include "common/sys/socket/channel_pair.hpp"
#include "tests/support/fds.hpp"
#include "tests/support/no_fd_leak.hpp"
#include "tests/support/sockets.hpp"

#include <doctest/doctest.h>

#include <array>
#include <string_view>
#include <vector>

#include <fcntl.h>

namespace usher::fd_message_test {

using namespace usher::sys;
using namespace usher::test;

namespace {

struct Fixture : NoFdLeak {
    ChannelPair channel = make_channel_pair();
    std::array<std::byte, 16> buffer{};
    FdMessage message;

    std::error_code send(std::string_view payload, std::span<const int> fds)
    {
        return send_with_fds(channel.parent.get(), bytes(payload), fds);
    }

    std::error_code receive() { return recv_with_fds(channel.child.get(), buffer, message); }

    std::string_view received() const
    {
        return {reinterpret_cast<const char*>(buffer.data()), message.size};
    }
};

} // namespace

TEST_SUITE_BEGIN("fd_message");

TEST_CASE_FIXTURE(Fixture, "descriptors arrive with their packet, in order, close-on-exec")
{
    const test::Pipe pipe = test::make_pipe();
    const std::array fds{pipe.reader.get(), pipe.writer.get()};

    REQUIRE_FALSE(send("one", fds));
    REQUIRE_FALSE(send("two", {}));

    REQUIRE_FALSE(receive());
    CHECK(received() == "one");
    REQUIRE(message.fds.size() == 2);
    CHECK(same_file(message.fds[0].get(), pipe.reader.get()));
    CHECK(same_file(message.fds[1].get(), pipe.writer.get()));
    CHECK(is_close_on_exec(message.fds[0].get()));
    CHECK(is_close_on_exec(message.fds[1].get()));

    REQUIRE_FALSE(receive());
    CHECK(received() == "two");
    CHECK(message.fds.empty());
}

TEST_CASE_FIXTURE(Fixture, "receiving never blocks, whatever another holder of the socket has set")
{
    REQUIRE(::fcntl(channel.child.get(), F_SETFL, 0) == 0);
    CHECK(receive() == std::errc::operation_would_block);
}

TEST_CASE_FIXTURE(Fixture, "a message carries as many descriptors as the kernel allows")
{
    const UniqueFd null = open_null();
    const std::vector<int> fds(max_fds_per_message, null.get());

    REQUIRE_FALSE(send("x", fds));
    REQUIRE_FALSE(receive());
    CHECK(message.fds.size() == max_fds_per_message);
}

TEST_CASE_FIXTURE(Fixture, "the sender keeps its descriptors")
{
    const UniqueFd null = open_null();
    const std::array fds{null.get()};

    REQUIRE_FALSE(send("x", fds));
    CHECK(is_open(null.get()));
}

TEST_CASE_FIXTURE(Fixture, "an empty queue would block; a dead peer reads as closed")
{
    CHECK(receive() == std::errc::operation_would_block);

    channel.parent.reset();
    CHECK_FALSE(receive());
    CHECK(message.size == 0);
}

TEST_CASE_FIXTURE(Fixture, "a shut down peer reads as closed, after what it sent")
{
    REQUIRE_FALSE(send("last", {}));
    REQUIRE(::shutdown(channel.parent.get(), SHUT_WR) == 0);

    REQUIRE_FALSE(receive());
    CHECK(received() == "last");
    CHECK_FALSE(receive());
    CHECK(message.size == 0);
}

TEST_CASE_FIXTURE(Fixture, "what a peer sent is received, also if it has not read what it was sent")
{
    auto pair = make_channel_pair(SOCK_SEQPACKET);
    REQUIRE_FALSE(send_with_fds(pair.child.get(), bytes("last words"), {}));
    REQUIRE_FALSE(send_with_fds(pair.parent.get(), bytes("unread"), {}));
    pair.child.reset();
    SUBCASE("at once")
    {
        REQUIRE_FALSE(recv_with_fds(pair.parent.get(), buffer, message));
    }
    SUBCASE("after a look")
    {
        REQUIRE_FALSE(recv_without_fds(pair.parent.get(), buffer, message, MSG_PEEK));
        CHECK(received() == "last words");
        REQUIRE_FALSE(recv_without_fds(pair.parent.get(), buffer, message));
    }
    CHECK(received() == "last words");
    REQUIRE_FALSE(recv_with_fds(pair.parent.get(), buffer, message));
    CHECK(message.size == 0);
}

TEST_CASE_FIXTURE(Fixture, "sending to a dead peer reports it and raises no SIGPIPE")
{
    channel.child.reset();
    CHECK(send("x", {}) == std::errc::broken_pipe);
}

TEST_CASE_FIXTURE(Fixture, "a full queue would block and takes no descriptor")
{
    const test::Pipe pipe = test::make_pipe();
    const std::array fds{pipe.reader.get()};

    std::error_code error;
    std::size_t sent = 0;
    for (; !error; ++sent)
        error = send("x", fds);
    REQUIRE(error == std::errc::operation_would_block);

    std::size_t arrived = 0;
    for (; !receive(); ++arrived)
        CHECK(message.fds.size() == 1);
    CHECK(arrived == sent - 1);
}

TEST_CASE_FIXTURE(Fixture, "a packet too long for the buffer is cut, and says so")
{
    const test::Pipe pipe = test::make_pipe();
    const std::array fds{pipe.reader.get()};
    REQUIRE_FALSE(send("longer than sixteen bytes", fds));

    const auto before = open_fd_count();
    REQUIRE_FALSE(receive());
    CHECK(message.is_cut);
    CHECK(message.fds.size() == 1);
    message.fds.clear();
    CHECK(open_fd_count() == before);
}

TEST_CASE_FIXTURE(Fixture, "descriptors over RLIMIT_NOFILE are missed, not passed over in silence")
{
    const test::Pipe pipe = test::make_pipe();
    const std::array fds{pipe.reader.get(), pipe.writer.get()};
    REQUIRE_FALSE(send("x", fds));

    const auto before = open_fd_count();
    {
        const ScopedFdLimit limit{1};
        REQUIRE_FALSE(receive());
    }
    CHECK(message.fds_dropped);
    CHECK(message.fds.size() == 1);
    message.fds.clear();
    CHECK(open_fd_count() == before);
}

TEST_CASE_FIXTURE(Fixture, "a message that is used again closes what it held")
{
    const UniqueFd null = open_null();
    const std::array fds{null.get()};
    REQUIRE_FALSE(send("one", fds));
    REQUIRE_FALSE(send("two", {}));

    const auto before = open_fd_count();
    REQUIRE_FALSE(receive());
    CHECK(open_fd_count() == before + 1);
    REQUIRE_FALSE(receive());
    CHECK(open_fd_count() == before);
}

TEST_CASE_FIXTURE(Fixture, "peeking copies the start of a packet and leaves it, descriptors too")
{
    const UniqueFd null = open_null();
    const std::array fds{null.get()};
    REQUIRE_FALSE(send("head and tail", fds));

    const auto before = open_fd_count();
    std::array<std::byte, 4> start{};
    for (int i = 0; i < 3; ++i) {
        std::size_t size = 0;
        REQUIRE_FALSE(peek_message(channel.child.get(), start, size));
        CHECK(std::string_view{reinterpret_cast<const char*>(start.data()), size} == "head");
    }
    CHECK(open_fd_count() == before);

    REQUIRE_FALSE(receive());
    CHECK(received() == "head and tail");
    CHECK(message.fds.size() == 1);
}

TEST_CASE_FIXTURE(Fixture, "peeking says how much of the buffer a short packet fills")
{
    REQUIRE_FALSE(send("ab", {}));

    std::array<std::byte, 4> start{};
    std::size_t size = 0;
    REQUIRE_FALSE(peek_message(channel.child.get(), start, size));
    CHECK(size == 2);
}

TEST_CASE_FIXTURE(Fixture,
                  "peeking at an empty queue would block, at a dead peer's it reads closed")
{
    std::array<std::byte, 4> start{};
    std::size_t size = 7;
    CHECK(peek_message(channel.child.get(), start, size) == std::errc::operation_would_block);
    CHECK(size == 0);

    channel.parent.reset();
    CHECK_FALSE(peek_message(channel.child.get(), start, size));
    CHECK(size == 0);
}

TEST_CASE_FIXTURE(Fixture,
                  "a descriptor of the sender that the other end has asked for is not kept")
{
#ifndef SO_PASSPIDFD
    constexpr int SO_PASSPIDFD = 76; // NOLINT(readability-identifier-naming): since Linux 6.5
#endif
    const int on = 1;
    if (::setsockopt(channel.child.get(), SOL_SOCKET, SO_PASSPIDFD, &on, sizeof on) < 0)
        return;
    REQUIRE_FALSE(send("one", {}));
    REQUIRE_FALSE(receive());
    CHECK(received() == "one");
    CHECK(message.fds.empty());
    CHECK_FALSE(message.fds_dropped);
}

TEST_SUITE_END();

} // namespace usher::fd_message_test
