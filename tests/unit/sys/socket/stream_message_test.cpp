// SPDX-License-Identifier: MIT
#include "common/sys/socket/fd_message.hpp"

#include "common/sys/socket/channel_pair.hpp"
#include "tests/support/fds.hpp"
#include "tests/support/sockets.hpp"

#include <doctest/doctest.h>

#include <array>
#include <string>
#include <string_view>

namespace usher::stream_message_test {

using namespace usher::sys;
using namespace usher::test;

namespace {

struct Fixture {
    ChannelPair pair = make_stream_pair();
    std::array<std::byte, 64> buffer{};
    FdMessage chunk;
    std::size_t sent = 0;

    std::error_code send(std::string_view text, int fd = -1)
    {
        return send_stream(pair.parent.get(), bytes(text), fd, sent);
    }

    std::error_code receive() { return recv_with_fds(pair.child.get(), buffer, chunk); }
};

} // namespace

TEST_SUITE_BEGIN("stream_message");

TEST_CASE_FIXTURE(Fixture, "a descriptor arrives with its bytes, close-on-exec")
{
    const test::Pipe pipe = test::make_pipe();
    REQUIRE_FALSE(send("one\n", pipe.reader.get()));
    CHECK(sent == 4);

    REQUIRE_FALSE(receive());
    CHECK(chunk.size == 4);
    REQUIRE(chunk.fds.size() == 1);
    CHECK(same_file(chunk.fds.front().get(), pipe.reader.get()));
    CHECK(is_close_on_exec(chunk.fds.front().get()));
    CHECK_FALSE(chunk.fds_dropped);
}

TEST_CASE_FIXTURE(Fixture, "nothing there would block, and a closed end is told")
{
    CHECK(receive() == std::errc::operation_would_block);
    pair.parent.reset();
    CHECK_FALSE(receive());
    CHECK(chunk.size == 0);
}

TEST_CASE_FIXTURE(Fixture, "a full socket takes the beginning, then would block")
{
    const std::string large(8UL * 1024 * 1024, 'x');
    REQUIRE_FALSE(send(large));
    CHECK(sent < large.size());
    std::error_code error;
    while (!error)
        error = send(large);
    CHECK(error == std::errc::operation_would_block);
    CHECK(sent == 0);
}

TEST_CASE_FIXTURE(Fixture,
                  "a descriptor for which there is no room is told, and the bytes are there")
{
    const test::Pipe pipe = test::make_pipe();
    REQUIRE_FALSE(send("one\n", pipe.reader.get()));
    const auto before = open_fd_count();
    {
        const ScopedFdLimit limit{0};
        REQUIRE_FALSE(receive());
    }
    CHECK(chunk.fds_dropped);
    CHECK(chunk.fds.empty());
    CHECK(chunk.size == 4);
    CHECK(open_fd_count() == before);
}

TEST_CASE_FIXTURE(Fixture, "sending to a closed end is an error and no signal")
{
    pair.child.reset();
    CHECK(send("x") == std::errc::broken_pipe);
}

TEST_SUITE_END();

} // namespace usher::stream_message_test
