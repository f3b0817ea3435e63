// SPDX-License-Identifier: MIT
#include "balancer/dialect/node/channel/node_channel.hpp"

#include "common/sys/fd/pipe.hpp"
#include "common/sys/socket/channel_pair.hpp"
#include "common/sys/socket/fd_message.hpp"
#include "tests/support/run_until.hpp"

#include <boost/asio/io_context.hpp>
#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <sys/socket.h>
#include <unistd.h>

namespace usher::node_channel_test {

using namespace usher::test;

namespace {

/// A channel, and somebody at its other end who writes a line for every one that is read.
struct Fixture : NodeChannel::Observer {
    boost::asio::io_context io;
    sys::UniqueFd other_end;
    std::shared_ptr<NodeChannel> channel;
    int frames = 0;
    int ends = 0;

    Fixture() { open(false); }

    void open(bool is_distrusted)
    {
        auto pair = sys::make_stream_pair();
        other_end = std::move(pair.child);
        channel = std::make_shared<NodeChannel>(io.get_executor(), std::move(pair.parent),
                                                NodeFrames{NodeConfig::Serialization::json},
                                                is_distrusted);
        NodeChannel::Observer& self = *this;
        channel->start(self);
    }

    virtual ~Fixture() { channel->close(); }

    void write_line() const { REQUIRE(::write(other_end.get(), "1\n", 2) == 2); }

    void on_frame(std::string_view) override
    {
        if (++frames < 1000) // not for ever, so that a failure shows
            write_line();
    }

    void on_end() override { ++ends; }
    void on_broken(std::string) override {}
};

} // namespace

TEST_SUITE_BEGIN("node_channel");

TEST_CASE_FIXTURE(Fixture, "what a dead worker left is read, not what its descendants still write")
{
    CHECK(channel->read_rest());
    CHECK(frames == 0);
    for (int i = 0; i < 3; ++i)
        write_line();
    CHECK(channel->read_rest());
    CHECK(frames == 3);
}

TEST_CASE_FIXTURE(Fixture,
                  "what a dead worker left behind a descriptor cannot be read, and is told")
{
    channel->close();
    open(true);
    const std::string line = "1\n";
    REQUIRE(!sys::send_with_fds(other_end.get(), std::as_bytes(std::span{line}),
                                std::array{STDIN_FILENO}));
    write_line();
    CHECK_FALSE(channel->read_rest());
    CHECK(frames == 0);
}

// Deno takes a descriptor for that of the first message that it reads with it.
TEST_CASE_FIXTURE(Fixture, "what has a descriptor is never read together with what had none")
{
    const auto pipe = sys::make_pipe_to_read();
    const int fd = pipe.writer.get();
    std::array<std::byte, 64> buffer{};
    sys::FdMessage message;
    const auto read = [&] {
        REQUIRE(run_until(io, [&] {
            return sys::recv_with_fds(other_end.get(), buffer, message) !=
                   std::errc::operation_would_block;
        }));
        const std::string text{reinterpret_cast<const char*>(buffer.data()), message.size};
        return std::pair{text, message.fds.size()};
    };
    for (int i = 0; i < 2; ++i) {
        CHECK(channel->send("first\n"));
        CHECK(channel->send("second\n"));
        CHECK(channel->send("with\n", fd));
        CHECK(channel->send("behind\n"));
        CHECK(channel->send("another\n", fd));
        io.run_for(std::chrono::milliseconds{20});
        CHECK(read() == std::pair{std::string{"first\nsecond\n"}, std::size_t{0}});
        CHECK(read() == std::pair{std::string{"with\n"}, std::size_t{1}});
        CHECK(read() == std::pair{std::string{"behind\n"}, std::size_t{0}});
        CHECK(read() == std::pair{std::string{"another\n"}, std::size_t{1}});
    }
    CHECK(channel->send("a\n", fd));
    CHECK(channel->send("b\n", fd)); // at once: the kernel keeps these apart
    CHECK(channel->unsent() == 0);
}

TEST_CASE_FIXTURE(Fixture, "a worker that reads no more is at its end, once what it wrote is read")
{
    write_line();
    REQUIRE(::shutdown(other_end.get(), SHUT_RD) == 0);
    run_ready(io);
    CHECK(ends == 0); // nothing tells until something is sent

    frames = 1'000; // no answers
    write_line();
    CHECK(channel->send("1\n"));
    CHECK(run_until(io, [&] { return ends > 0; }));
    CHECK(frames == 1'001);
}

TEST_CASE_FIXTURE(Fixture, "nor does it go unnoticed while something lies there unread")
{
    const auto pipe = sys::make_pipe_to_read();
    CHECK(channel->send("first\n"));
    SUBCASE("when what has a descriptor comes afterwards") {}
    SUBCASE("when what has a descriptor waits already")
    {
        CHECK(channel->send("with\n", pipe.writer.get()));
        run_ready(io);
    }
    REQUIRE(::shutdown(other_end.get(), SHUT_RD) == 0);
    CHECK(channel->send("another\n", pipe.writer.get()));
    CHECK(run_until(io, [&] { return ends > 0; }));
}

// One that needs more than one packet of the kernel's: the last of them has no descriptor.
TEST_CASE_FIXTURE(Fixture, "the end of a long message with a descriptor is read alone, too")
{
    const auto pipe = sys::make_pipe_to_read();
    const std::string text = std::string(50'000, 'x') + '\n';
    CHECK(channel->send(text, pipe.writer.get()));
    CHECK(channel->send("next\n", pipe.writer.get()));
    io.run_for(std::chrono::milliseconds{20});
    std::vector<std::byte> buffer(100'000);
    std::size_t size = 0;
    sys::FdMessage message;
    while (size < text.size() &&
           run_until(io, [&] { return !sys::recv_with_fds(other_end.get(), buffer, message); })) {
        CHECK(message.fds.size() == (size == 0 ? 1 : 0));
        size += message.size;
    }
    CHECK(size == text.size());
    REQUIRE(run_until(io, [&] { return !sys::recv_with_fds(other_end.get(), buffer, message); }));
    CHECK(message.size == 5);
    CHECK(message.fds.size() == 1);
}

TEST_SUITE_END();

} // namespace usher::node_channel_test
