// SPDX-License-Identifier: MIT
#include "balancer/dispatch/handoff_channel.hpp"

#include "common/sys/socket/fd_message.hpp"
#include "tests/support/fake_worker.hpp"
#include "tests/support/fds.hpp"
#include "tests/support/no_fd_leak.hpp"
#include "tests/support/printing.hpp"
#include "tests/support/sockets.hpp"

#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <thread>
#include <vector>

#include <poll.h>
#include <sys/socket.h>

namespace usher::handoff_channel_test {

using namespace usher::test;

namespace {

struct Fixture : NoFdLeak {
    FakeWorker worker{4};
    HandoffChannel& channel = worker.channel;
    sys::UniqueFd null = open_null();
    std::uint64_t last_id = 0;

    void send(std::size_t count = 1)
    {
        OutgoingPacket packet;
        for (std::size_t i = 0; i < count; ++i)
            packet.append(null.get(), record_of(++last_id));
        REQUIRE_FALSE(channel.send(packet));
    }

    std::uint64_t queued() const { return channel.figures().queued; }
};

bool hangs_up(int socket)
{
    pollfd entry{.fd = socket, .events = 0, .revents = 0};
    return ::poll(&entry, 1, 0) == 1 && (entry.revents & POLLHUP) != 0;
}

} // namespace

TEST_SUITE_BEGIN("handoff_channel");

TEST_CASE_FIXTURE(Fixture, "there is room for max_queue connections that were not taken")
{
    for (const std::size_t left : {4U, 3U, 2U, 1U}) {
        CHECK(channel.room() == left);
        send();
    }
    CHECK(channel.room() == 0);
    CHECK(queued() == 4);

    worker.page().accepted = 1;
    CHECK(channel.room() == 1);
    CHECK(queued() == 3);

    channel.set_max_queue(2); // fewer than there are
    CHECK(channel.room() == 0);
}

TEST_CASE("a listener with a queue of its own is handed over there, and all can be read back")
{
    const NoFdLeak leak;
    HandoffChannel several{4, {0, 1, 1}};
    several.set_max_batch(1);
    const auto null = open_null();
    for (std::uint16_t listener = 0; listener < 4; ++listener) {
        auto record = record_of(listener + 1U);
        record.listener = listener;
        REQUIRE_FALSE(hand_off(several, null.get(), record));
    }
    CHECK(several.room() == 0); // the length of all queues together
    CHECK(several.worker_ends().size() == 2);
    CHECK_FALSE(several.figures().open); // such a worker cannot tell

    std::vector<std::vector<std::uint64_t>> ids;
    while (const auto end = several.take_worker_end()) {
        ids.emplace_back();
        std::array<std::byte, wire::max_handoff_packet> buffer;
        sys::FdMessage message;
        while (!sys::recv_with_fds(end.get(), buffer, message) && message.size > 0)
            ids.back().push_back(
                wire::HandoffPacket::parse(std::span{buffer}.first(message.size))->record(0).id);
    }
    // One that nobody has heard of goes to the first.
    CHECK((ids == std::vector<std::vector<std::uint64_t>>{{1, 4}, {2, 3}}));
}

TEST_CASE_FIXTURE(Fixture, "a packet arrives with its descriptors in order")
{
    const Pipe pipe = make_pipe();
    const auto first = record_of(7);
    auto second = record_of(8);
    second.listener = 2;
    OutgoingPacket packet;
    packet.append(pipe.reader.get(), first);
    packet.append(pipe.writer.get(), second);
    CHECK(packet.count() == 2);

    REQUIRE_FALSE(channel.send(packet));
    CHECK(channel.figures().handed_off == 2);

    REQUIRE_FALSE(worker.receive());
    REQUIRE(worker.taken.size() == 2);
    CHECK(worker.taken[0].record == first);
    CHECK(same_file(worker.taken[0].fd.get(), pipe.reader.get()));
    CHECK(worker.taken[1].record == second);
    CHECK(same_file(worker.taken[1].fd.get(), pipe.writer.get()));
    CHECK(worker.receive() == std::errc::operation_would_block);
}

TEST_CASE_FIXTURE(NoFdLeak, "a socket that is full blocks the channel")
{
    FakeWorker worker{64};
    HandoffChannel& channel = worker.channel;
    const auto null = open_null();

    // The worker counts what it has not read, so only the kernel can say that there is no room.
    std::error_code error;
    while (!error) {
        REQUIRE(channel.room() > 0);
        error = hand_off(channel, null.get(), record_of(1));
        worker.page().accepted = channel.figures().handed_off;
    }
    CHECK(error == std::errc::operation_would_block);
    CHECK_FALSE(channel.broken_by());
    CHECK(channel.room() == 0);
    channel.unblock();
    CHECK(channel.room() > 0);
}

TEST_CASE_FIXTURE(Fixture, "a worker that reads no more breaks the channel for good")
{
    send();
    const int worker_end = channel.worker_ends().front();
    REQUIRE(::shutdown(worker_end, SHUT_RD) == 0);
    CHECK(channel.room() > 0); // until something is sent
    CHECK(hangs_up(channel.sockets().front().parent.get()));

    CHECK(hand_off(channel, null.get(), record_of(2)) == std::errc::broken_pipe);
    CHECK(channel.broken_by() == std::errc::broken_pipe);
    channel.unblock();
    CHECK(channel.room() == 0);
    CHECK(is_readable(worker_end)); // what was queued before is still there
}

TEST_CASE_FIXTURE(NoFdLeak, "a large max_queue fits the socket, each connection in its own packet")
{
    FakeWorker worker{1'000};
    HandoffChannel& channel = worker.channel;
    const auto null = open_null();

    for (int i = 0; i < 1'000; ++i) {
        REQUIRE(channel.room() > 0);
        REQUIRE_FALSE(hand_off(channel, null.get(), record_of(1)));
    }
    CHECK(channel.room() == 0);
}

TEST_CASE_FIXTURE(Fixture, "after the shut-down comes what was queued, then end of file")
{
    send(2);
    channel.shut_down();

    REQUIRE_FALSE(worker.receive());
    CHECK(worker.taken.size() == 2);
    CHECK(worker.receive() == std::errc::not_connected);
}

TEST_CASE_FIXTURE(NoFdLeak, "the worker's end outlives the channel, with what is queued in it")
{
    const auto connection = make_connection();
    sys::UniqueFd worker_end;
    {
        FakeWorker worker;
        REQUIRE_FALSE(hand_off(worker.channel, connection.server.get(), record_of(1)));
        worker_end = worker.channel.take_worker_end();
    }
    CHECK(is_readable(worker_end.get()));
}

TEST_CASE_FIXTURE(Fixture, "when its end was given away nothing is queued for the worker")
{
    send(2);
    const auto end = channel.take_worker_end();
    CHECK(queued() == 0);
    CHECK(channel.worker_ends().front() == -1);
}

TEST_CASE_FIXTURE(Fixture, "both descriptors for the worker are close-on-exec here")
{
    CHECK(is_close_on_exec(channel.worker_ends().front()));
    CHECK(is_close_on_exec(channel.scoreboard().fd()));
}

TEST_CASE_FIXTURE(Fixture, "a worker that writes to its hand-off socket is told that nobody reads")
{
    CHECK(sys::send_with_fds(channel.worker_ends().front(), bytes("x"), {}) ==
          std::errc::broken_pipe);
}

TEST_CASE_FIXTURE(Fixture, "what is queued and what is open is read from the page")
{
    send(3);
    worker.page().accepted = 2;
    worker.page().closed = 1;
    CHECK(queued() == 1);
    CHECK(channel.figures().open == 1);
}

TEST_CASE_FIXTURE(Fixture, "a page that makes no sense counts as nothing queued and never wraps")
{
    send(3);
    worker.page().accepted = std::numeric_limits<std::uint64_t>::max();
    CHECK(queued() == 0);
    CHECK(channel.figures().open == 3);
    CHECK(channel.room() == 0);

    worker.page().closed = std::numeric_limits<std::uint64_t>::max();
    CHECK(channel.figures().open == 0);
}

TEST_CASE_FIXTURE(Fixture, "an honest page is never accused")
{
    CHECK(channel.audit().empty());
    send(3);
    CHECK(channel.audit().empty());
    worker.page().accepted = 3;
    CHECK(channel.audit().empty());
    worker.page().closed = 3;
    CHECK(channel.audit().empty());
}

TEST_CASE_FIXTURE(NoFdLeak, "an honest page is not accused while the worker is writing it")
{
    constexpr std::uint64_t connections = 2'000;
    FakeWorker worker;
    HandoffChannel& channel = worker.channel;
    const auto null = open_null();

    std::thread counting{[&worker] {
        for (std::uint64_t taken = 0; taken < connections;) {
            if (worker.receive()) {
                std::this_thread::yield();
                continue;
            }
            for (; taken < worker.taken.size(); ++taken) {
                worker.page().accepted.fetch_add(1, std::memory_order_relaxed);
                worker.page().closed.fetch_add(1, std::memory_order_release);
            }
            for (auto& connection : worker.taken)
                connection.fd.reset();
        }
    }};

    std::string_view accusation;
    while (channel.figures().handed_off < connections) {
        if (channel.room() > 0 && hand_off(channel, null.get(), record_of(1)))
            channel.unblock();
        if (accusation.empty())
            accusation = channel.audit();
    }
    counting.join();
    CHECK(accusation == "");
    CHECK(channel.audit() == "");
}

TEST_CASE_FIXTURE(Fixture, "a page whose head was overwritten is accused of that")
{
    worker.page().magic = 0;
    CHECK(channel.audit() == "overwrote the head of its scoreboard");
}

TEST_CASE_FIXTURE(Fixture, "a page that counts more than was given is accused of that")
{
    send(2);
    worker.page().accepted = 3;
    CHECK(channel.audit() == "counts more connections on its scoreboard than it was given");
}

TEST_CASE_FIXTURE(Fixture, "a page that counts backwards is accused of that")
{
    send(3);
    worker.page().accepted = 3;
    worker.page().closed = 2;
    REQUIRE(channel.audit().empty());

    SUBCASE("in what it accepted")
    {
        worker.page().accepted = 2;
    }
    SUBCASE("in what it closed")
    {
        worker.page().closed = 1;
    }
    CHECK(channel.audit() == "counts backwards on its scoreboard");
}

TEST_CASE_FIXTURE(Fixture, "a page that closed more than it accepted is accused of that")
{
    send(3);
    worker.page().accepted = 1;
    worker.page().closed = 2;
    CHECK(channel.audit() == "counts more closed than accepted connections on its scoreboard");
}

TEST_CASE_FIXTURE(Fixture, "a probe is queued like a connection, but no client is counted")
{
    const auto pair = make_connection();
    REQUIRE_FALSE(channel.send_probe(pair.server.get()));
    CHECK(queued() == 1);
    CHECK(channel.figures().handed_off == 0);

    worker.take_all();
    REQUIRE(worker.taken.size() == 1);
    const auto& record = worker.taken[0].record;
    CHECK(record.is_probe());
    CHECK(record.id == 0);
    CHECK(record.reclaims() == 0);
    CHECK(record.peer.family == wire::AddressFamily::unix_domain);
    CHECK(same_file(worker.taken[0].fd.get(), pair.server.get()));
    CHECK(queued() == 0);
    CHECK(channel.figures().taken == 1);
    CHECK(channel.figures().open == 1);
    CHECK(channel.audit().empty());

    send();
    CHECK(channel.figures().handed_off == 1);
    CHECK(queued() == 1);
}

TEST_CASE_FIXTURE(Fixture, "probes that nobody takes fill the queue, and then there is no other")
{
    for (int i = 0; i < 4; ++i)
        REQUIRE_FALSE(channel.send_probe(null.get()));
    CHECK(channel.send_probe(null.get()) == std::errc::operation_would_block);
    worker.take_all();
    CHECK_FALSE(channel.send_probe(null.get()));
}

TEST_CASE_FIXTURE(Fixture, "a probe that the kernel refuses leaves no trace")
{
    channel.shut_down();
    CHECK(channel.send_probe(null.get()));
    CHECK(queued() == 0);
}

TEST_SUITE_END();

} // namespace usher::handoff_channel_test
