// SPDX-License-Identifier: MIT
#include "balancer/dialect/native/control_channel.hpp"

#include "common/sys/socket/channel_pair.hpp"
#include "common/sys/socket/fd_message.hpp"
#include "tests/support/fds.hpp"
#include "tests/support/no_fd_leak.hpp"
#include "tests/support/printing.hpp"
#include "tests/support/run_until.hpp"
#include "tests/support/sockets.hpp"
#include "tests/support/worker_words.hpp"

#include <boost/asio/io_context.hpp>
#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace usher::control_channel_test {

using namespace usher::test;

namespace {

struct Fixture : NoFdLeak {
    boost::asio::io_context io;
    sys::UniqueFd worker; ///< the other end
    std::shared_ptr<ControlChannel> channel;
    std::vector<wire::ControlMessage> heard;

    Fixture()
    {
        auto pair = sys::make_channel_pair();
        worker = std::move(pair.child);
        channel = std::make_shared<ControlChannel>(io.get_executor(), std::move(pair.parent));
        channel->start([this](const wire::ControlMessage& message) { heard.push_back(message); });
    }
    Fixture(const Fixture&) = delete;
    Fixture& operator=(const Fixture&) = delete;
    ~Fixture()
    {
        channel->close();
        channel.reset();
        CHECK(run_to_end(io)); // a closed channel keeps no loop running
    }

    void say(std::string_view packet, std::span<const int> fds = {}) const
    {
        REQUIRE_FALSE(sys::send_with_fds(worker.get(), bytes(packet), fds));
    }

    bool run_until_heard(std::size_t count)
    {
        return run_until(io, [&] { return heard.size() >= count; });
    }
};

wire::ControlMessage malformed(std::string reason)
{
    return wire::MalformedMessage{.reason = std::move(reason)};
}

} // namespace

TEST_SUITE_BEGIN("control_channel");

TEST_CASE_FIXTURE(Fixture, "messages arrive in order")
{
    const wire::Hello hello{.protocol = 1, .max_batch = 8};
    say(wire::encode(hello));
    say(wire::encode(wire::Ready{}));
    say(R"({"type": "news"})");

    REQUIRE(run_until_heard(3));
    CHECK(heard[0] == wire::ControlMessage{hello});
    CHECK(heard[1] == wire::ControlMessage{wire::Ready{}});
    CHECK(heard[2] == wire::ControlMessage{wire::UnknownMessage{.type = "news"}});
}

TEST_CASE_FIXTURE(Fixture, "garbage is a malformed message, and what follows is still heard")
{
    say("garbage");
    say(wire::encode(wire::Ready{}));

    REQUIRE(run_until_heard(2));
    CHECK(heard[0] == malformed("not JSON at byte 1"));
    CHECK(heard[1] == wire::ControlMessage{wire::Ready{}});
}

TEST_CASE_FIXTURE(Fixture, "a packet of 4 KiB is read, a longer one is malformed")
{
    const auto padded = [](std::size_t size) {
        const std::string text = R"({"type":"ready"})";
        return std::string(size - text.size(), ' ') + text;
    };
    say(padded(wire::max_control_message));
    say(padded(wire::max_control_message + 1));

    REQUIRE(run_until_heard(2));
    CHECK(heard[0] == wire::ControlMessage{wire::Ready{}});
    CHECK(heard[1] == malformed("longer than 4 KiB"));
}

TEST_CASE_FIXTURE(Fixture, "descriptors are closed, and the message with them is malformed")
{
    auto connection = make_connection();
    const std::array fds{connection.server.get()};
    say(wire::encode(wire::Ready{}), fds);
    connection.server.reset();

    REQUIRE(run_until_heard(1));
    CHECK(heard[0] == malformed("descriptors do not belong here"));
    CHECK(sees_end(connection.client.get()));
}

TEST_CASE_FIXTURE(Fixture, "descriptors for which there is no room are as malformed")
{
    const auto null = open_null();
    const std::array fds{null.get(), null.get(), null.get()};
    say(wire::encode(wire::Ready{}), fds);

    const ScopedFdLimit limit{1};
    REQUIRE(run_until_heard(1));
    CHECK(heard[0] == malformed("descriptors do not belong here"));
}

TEST_CASE_FIXTURE(Fixture, "the death of the worker ends the reading and is no message")
{
    say(wire::encode(wire::Ready{}));
    worker.reset();
    CHECK(run_to_end(io));
    CHECK(heard.size() == 1);

    channel->send("nobody reads this"); // is no error
}

TEST_CASE_FIXTURE(Fixture, "what is sent arrives as one packet")
{
    const auto packet = wire::encode_drain(std::chrono::seconds{30});
    channel->send(packet);

    std::array<std::byte, 128> buffer{};
    sys::FdMessage message;
    REQUIRE_FALSE(sys::recv_with_fds(worker.get(), buffer, message));
    CHECK(std::string_view{reinterpret_cast<const char*>(buffer.data()), message.size} == packet);
}

TEST_CASE_FIXTURE(Fixture, "messages for a worker that does not read are dropped, not waited for")
{
    for (int i = 0; i < 1'000; ++i)
        channel->send(std::string(1'000, ' '));
}

TEST_CASE_FIXTURE(Fixture, "nothing is heard after close()")
{
    say(wire::encode(wire::Ready{}));
    channel->close();
    channel->close();
    channel->send("nor sent");
    CHECK(run_to_end(io));
    CHECK(heard.empty());
    CHECK(sees_end(worker.get()));
}

TEST_CASE_FIXTURE(NoFdLeak, "the handler may close the channel")
{
    boost::asio::io_context io;
    auto pair = sys::make_channel_pair();
    const auto channel =
        std::make_shared<ControlChannel>(io.get_executor(), std::move(pair.parent));
    int heard = 0;
    channel->start([&](const wire::ControlMessage& /*message*/) {
        ++heard;
        channel->close();
    });
    for (int i = 0; i < 2; ++i)
        REQUIRE_FALSE(sys::send_with_fds(pair.child.get(), bytes("{}"), {}));
    CHECK(run_to_end(io));
    CHECK(heard == 1);
}

TEST_SUITE_END();

} // namespace usher::control_channel_test
