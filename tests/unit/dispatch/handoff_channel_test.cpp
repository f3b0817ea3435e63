// SPDX-License-Identifier: MIT
#include "balancer/dispatch/handoff_channel.hpp"

#include "common/sys/socket/fd_message.hpp"
#include "common/sys/socket/message_error.hpp"
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

using namespace usher;
using namespace usher::test;

namespace {

struct Fixture : NoFdLeak {
    FakeWorker worker{4};
    HandoffChannel& channel = worker.channel;
    sys::UniqueFd null = open_null();
    std::uint64_t last_id = 0;

    void append(std::size_t count = 1)
    {
        for (std::size_t i = 0; i < count; ++i)
            channel.append(null.get(), record_of(++last_id));
    }

    void send(std::size_t count = 1)
    {
        append(count);
        REQUIRE_FALSE(channel.send_batch());
    }
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
    for (int i = 0; i < 4; ++i) {
        CHECK(channel.has_room());
        append(); // a batch counts before it is sent
    }
    CHECK_FALSE(channel.has_room());

    REQUIRE_FALSE(channel.send_batch());
    CHECK_FALSE(channel.has_room());
    CHECK(channel.queued() == 4);

    worker.page().accepted = 1;
    CHECK(channel.has_room());
    CHECK(channel.queued() == 3);
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
        several.append(null.get(), record);
        REQUIRE_FALSE(several.send_batch());
    }
    CHECK_FALSE(several.has_room()); // the length of all queues together
    CHECK(several.worker_fds().size() == 2);
    CHECK_FALSE(several.open()); // such a worker cannot tell

    std::vector<std::vector<std::uint64_t>> ids;
    while (const auto end = several.take_worker_end()) {
        ids.emplace_back();
        std::array<std::byte, wire::max_handoff_packet> buffer;
        sys::FdMessage message;
        while (!sys::recv_with_fds(end.get(), buffer, message))
            ids.back().push_back(
                wire::HandoffPacket::parse(std::span{buffer}.first(message.size))->record(0).id);
    }
    // One that nobody has heard of goes to the first.
    CHECK((ids == std::vector<std::vector<std::uint64_t>>{{1, 4}, {2, 3}}));
}

TEST_CASE_FIXTURE(Fixture, "a batch is one packet, with its descriptors in order")
{
    const Pipe pipe = make_pipe();
    const auto first = record_of(7);
    auto second = record_of(8);
    second.listener = 2;
    channel.append(pipe.reader.get(), first);
    channel.append(pipe.writer.get(), second);
    CHECK(channel.has_batch());
    CHECK(channel.batch_size() == 2);

    REQUIRE_FALSE(channel.send_batch());
    CHECK_FALSE(channel.has_batch());
    CHECK(channel.handed_off() == 2);

    REQUIRE_FALSE(worker.receive());
    REQUIRE(worker.taken.size() == 2);
    CHECK(worker.taken[0].record == first);
    CHECK(same_file(worker.taken[0].fd.get(), pipe.reader.get()));
    CHECK(worker.taken[1].record == second);
    CHECK(same_file(worker.taken[1].fd.get(), pipe.writer.get()));
    CHECK(worker.receive() == std::errc::operation_would_block);
}

TEST_CASE_FIXTURE(Fixture, "a batch is full with as many records as the worker asked for")
{
    channel.set_max_batch(2);
    append();
    CHECK_FALSE(channel.is_batch_full());
    append();
    CHECK(channel.is_batch_full());
}

TEST_CASE_FIXTURE(Fixture, "a batch can be looked at and dropped")
{
    append(2);
    CHECK(channel.batch_entry(0).fd == null.get());
    CHECK(channel.batch_entry(0).record == record_of(1));
    CHECK(channel.batch_entry(1).record == record_of(2));

    channel.drop_batch();
    CHECK_FALSE(channel.has_batch());
    CHECK(channel.handed_off() == 0);
}

TEST_CASE_FIXTURE(NoFdLeak, "a socket that is full blocks the channel and leaves the batch here")
{
    FakeWorker worker{64};
    HandoffChannel& channel = worker.channel;
    const auto null = open_null();

    // The worker counts what it has not read, so only the kernel can say that there is no room.
    std::error_code error;
    while (!error) {
        REQUIRE(channel.has_room());
        channel.append(null.get(), record_of(1));
        error = channel.send_batch();
        worker.page().accepted = channel.handed_off();
    }
    CHECK(error == std::errc::operation_would_block);
    CHECK(channel.is_blocked());
    CHECK_FALSE(channel.has_room());
    REQUIRE(channel.batch_size() == 1);
    CHECK(channel.batch_entry(0).fd == null.get());

    channel.drop_batch();
    CHECK_FALSE(channel.has_room());
    channel.unblock();
    CHECK(channel.has_room());
}

TEST_CASE_FIXTURE(Fixture, "a worker that reads no more breaks the channel for good")
{
    send();
    REQUIRE(::shutdown(channel.worker_fd(), SHUT_RD) == 0);
    CHECK(channel.has_room()); // until something is sent
    CHECK(hangs_up(channel.master_fds()[0]));

    append();
    CHECK(channel.send_batch() == std::errc::broken_pipe);
    CHECK(channel.broken_by() == std::errc::broken_pipe);
    channel.drop_batch();
    channel.unblock();
    CHECK_FALSE(channel.has_room());
    CHECK(is_readable(channel.worker_fd())); // what was queued before is still there
}

TEST_CASE_FIXTURE(NoFdLeak, "a large max_queue fits the socket, each connection in its own packet")
{
    FakeWorker worker{1'000};
    HandoffChannel& channel = worker.channel;
    const auto null = open_null();

    for (int i = 0; i < 1'000; ++i) {
        REQUIRE(channel.has_room());
        channel.append(null.get(), record_of(1));
        REQUIRE_FALSE(channel.send_batch());
    }
    CHECK_FALSE(channel.has_room());
}

TEST_CASE_FIXTURE(Fixture, "after the shut-down comes what was queued, then end of file")
{
    send(2);
    channel.shut_down();

    REQUIRE_FALSE(worker.receive());
    CHECK(worker.taken.size() == 2);
    CHECK(worker.receive() == sys::MessageError::peer_closed);
}

TEST_CASE_FIXTURE(NoFdLeak, "the worker's end outlives the channel, with what is queued in it")
{
    const auto connection = make_connection();
    sys::UniqueFd worker_end;
    {
        FakeWorker worker;
        worker.channel.append(connection.server.get(), record_of(1));
        REQUIRE_FALSE(worker.channel.send_batch());
        worker_end = worker.channel.take_worker_end();
    }
    CHECK(is_readable(worker_end.get()));
}

TEST_CASE_FIXTURE(Fixture, "both descriptors for the worker are close-on-exec here")
{
    CHECK(is_close_on_exec(channel.worker_fd()));
    CHECK(is_close_on_exec(channel.scoreboard_fd()));
}

TEST_CASE_FIXTURE(Fixture, "a worker that writes to its hand-off socket is told that nobody reads")
{
    CHECK(sys::send_with_fds(channel.worker_fd(), bytes("x"), {}) == std::errc::broken_pipe);
}

TEST_CASE_FIXTURE(Fixture, "what is queued and what is open is read from the page")
{
    send(3);
    worker.page().accepted = 2;
    worker.page().closed = 1;
    CHECK(channel.queued() == 1);
    CHECK(channel.open() == 1);
}

TEST_CASE_FIXTURE(Fixture, "a page that makes no sense counts as nothing queued and never wraps")
{
    send(3);
    worker.page().accepted = std::numeric_limits<std::uint64_t>::max();
    CHECK(channel.queued() == 0);
    CHECK(channel.open() == 3);
    CHECK_FALSE(channel.has_room());

    worker.page().closed = std::numeric_limits<std::uint64_t>::max();
    CHECK(channel.open() == 0);
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
    while (channel.handed_off() < connections) {
        if (channel.has_room()) {
            channel.append(null.get(), record_of(1));
            if (channel.send_batch())
                channel.unblock(), channel.drop_batch();
        }
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
    CHECK(channel.queued() == 1);
    CHECK(channel.handed_off() == 0);

    worker.take_all();
    REQUIRE(worker.taken.size() == 1);
    const auto& record = worker.taken[0].record;
    CHECK(record.is_probe());
    CHECK(record.id == 0);
    CHECK(record.reclaims() == 0);
    CHECK(record.peer.family == wire::AddressFamily::unix_domain);
    CHECK(same_file(worker.taken[0].fd.get(), pair.server.get()));
    CHECK(channel.queued() == 0);
    CHECK(channel.taken() == 1);
    CHECK(channel.open() == 1);
    CHECK(channel.audit().empty());

    send();
    CHECK(channel.handed_off() == 1);
    CHECK(channel.queued() == 1);
}

TEST_CASE_FIXTURE(Fixture, "probes that nobody takes fill the queue, and then there is no other")
{
    for (int i = 0; i < 4; ++i)
        REQUIRE_FALSE(channel.send_probe(null.get()));
    CHECK(channel.send_probe(null.get()) == std::errc::operation_would_block);
    CHECK_FALSE(channel.has_batch());
    CHECK_FALSE(channel.is_blocked());
    worker.take_all();
    CHECK_FALSE(channel.send_probe(null.get()));
}

TEST_CASE_FIXTURE(Fixture, "a probe that the kernel refuses leaves no trace")
{
    channel.shut_down();
    CHECK(channel.send_probe(null.get()));
    CHECK_FALSE(channel.has_batch());
    CHECK_FALSE(channel.is_blocked());
    CHECK(channel.queued() == 0);
}

TEST_SUITE_END();
