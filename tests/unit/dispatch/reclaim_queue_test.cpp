// SPDX-License-Identifier: MIT
#include "balancer/dispatch/reclaim_queue.hpp"

#include "tests/support/fake_worker.hpp"
#include "tests/support/fds.hpp"
#include "tests/support/no_fd_leak.hpp"
#include "tests/support/reclaim_reports.hpp"
#include "tests/support/sockets.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <deque>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include <sys/socket.h>

namespace usher::reclaim_queue_test {

using namespace usher::test;

namespace {

struct Fixture : NoFdLeak {
    ReclaimReports reports;
    ReclaimQueue queue{reports};
    HandoffBatch out;
    std::deque<Connected> connections; ///< as many as were handed off

    /// Hands `records` to `worker` as one packet.
    void hand_off(FakeWorker& worker, std::initializer_list<wire::HandoffRecord> records)
    {
        OutgoingPacket packet;
        for (const auto& record : records) {
            connections.push_back(make_connection());
            packet.append(connections.back().server.get(), record);
        }
        REQUIRE_FALSE(worker.channel.send(packet));
        for (auto& connection : connections)
            connection.server.reset();
    }

    void bury(std::string name, FakeWorker& worker)
    {
        queue.add(std::move(name), worker.channel.take_worker_end());
    }

    std::vector<std::uint64_t> take_all()
    {
        while (queue.take(out)) {
        }
        std::vector<std::uint64_t> ids;
        for (std::size_t i = 0; i < out.size(); ++i)
            ids.push_back(out.record(i).id);
        return ids;
    }

    bool are_alive()
    {
        for (const auto& connection : connections)
            if (is_readable(connection.client.get())) // nobody sent, so it could only be the end
                return false;
        return true;
    }
};

using Ids = std::vector<std::uint64_t>;
using Reports = ReclaimReports::List;

wire::HandoffRecord reclaimed_once(std::uint64_t id)
{
    auto record = record_of(id);
    record.set_reclaims(1);
    return record;
}

} // namespace

TEST_SUITE_BEGIN("reclaim_queue");

TEST_CASE_FIXTURE(Fixture, "nothing is in a new queue")
{
    CHECK(queue.is_empty());
    CHECK_FALSE(queue.take(out));
    CHECK(reports.list.empty());
}

TEST_CASE_FIXTURE(Fixture, "what a dead worker had not taken comes back as it was handed to it")
{
    FakeWorker worker;
    auto record = record_of(7);
    record.listener = 3;
    hand_off(worker, {record});
    bury("worker 1", worker);
    CHECK_FALSE(queue.is_empty());

    REQUIRE(queue.take(out));
    REQUIRE(out.size() == 1);
    CHECK(out.record(0).id == 7);
    CHECK(out.record(0).listener == 3);
    CHECK(out.record(0).reclaims() == 1);

    write_text(connections[0].client.get(), "still here");
    CHECK(read_text(out.fd(0)) == "still here");
}

TEST_CASE_FIXTURE(Fixture, "the oldest packet of all dead workers comes first")
{
    FakeWorker first;
    FakeWorker second;
    hand_off(first, {record_of(1)});
    hand_off(second, {record_of(2)});
    hand_off(second, {record_of(3), record_of(5)});
    hand_off(first, {record_of(4)});
    hand_off(first, {record_of(6)});
    bury("worker 2", second);
    bury("worker 1", first);

    CHECK((take_all() == Ids{1, 2, 3, 5, 4, 6}));
    CHECK(are_alive());
}

TEST_CASE_FIXTURE(Fixture, "a connection that is reclaimed twice is closed and counted")
{
    FakeWorker worker;
    hand_off(worker, {reclaimed_once(1), record_of(2)});
    bury("worker 1", worker);

    CHECK((take_all() == Ids{2}));
    CHECK(sees_end(connections[0].client.get()));
    CHECK_FALSE(is_readable(connections[1].client.get()));
    CHECK((reports.list == Reports{{"worker 1", 1, 1}}));
}

TEST_CASE_FIXTURE(Fixture, "a packet of nothing but suspects is taken and brings nothing")
{
    FakeWorker worker;
    hand_off(worker, {reclaimed_once(1)});
    bury("worker 1", worker);

    CHECK(queue.take(out));
    CHECK(out.is_empty());
}

TEST_CASE_FIXTURE(Fixture, "what a worker left is reported once, when nothing more is there")
{
    FakeWorker worker;
    hand_off(worker, {record_of(1)});
    hand_off(worker, {record_of(2), record_of(3)});
    bury("worker 1 (pid 4711)", worker);

    REQUIRE(queue.take(out));
    REQUIRE(queue.take(out));
    CHECK(reports.list.empty());
    CHECK_FALSE(queue.take(out));
    CHECK_FALSE(queue.take(out));
    CHECK(queue.is_empty());
    CHECK((reports.list == Reports{{"worker 1 (pid 4711)", 3, 0}}));
}

TEST_CASE_FIXTURE(Fixture, "what a worker has set on its end hides nothing")
{
    FakeWorker worker;
    hand_off(worker, {{.id = 1}});
    const int end = worker.channel.worker_ends().front();
    for (const auto& [option, value] :
         {std::pair{SO_PEEK_OFF, 1'000'000}, std::pair{SO_PASSCRED, 1}, std::pair{SO_PASSSEC, 1}})
        REQUIRE(::setsockopt(end, SOL_SOCKET, option, &value, sizeof value) == 0);
    bury("worker", worker);
    CHECK(take_all() == Ids{1});
    CHECK(are_alive());
}

TEST_CASE_FIXTURE(Fixture, "a worker that left nothing is reported as well")
{
    FakeWorker worker;
    bury("worker 1", worker);
    CHECK_FALSE(queue.take(out));
    CHECK((reports.list == Reports{{"worker 1", 0, 0}}));
}

TEST_CASE_FIXTURE(Fixture, "without room for a whole packet it stays where it is")
{
    FakeWorker worker;
    hand_off(worker, {record_of(1), record_of(2), record_of(3)});
    bury("worker 1", worker);
    {
        const ScopedFdLimit limit{2};
        CHECK_FALSE(queue.take(out));
        CHECK(out.is_empty());
        CHECK_FALSE(queue.is_empty());
        CHECK(are_alive());
    }
    {
        const ScopedFdLimit limit{3};
        CHECK((take_all() == Ids{1, 2, 3}));
    }
    CHECK(are_alive());
}

TEST_CASE_FIXTURE(Fixture, "a queue that is thrown away closes what is in it")
{
    FakeWorker worker;
    hand_off(worker, {record_of(1)});
    {
        ReclaimQueue other{reports};
        other.add("worker 1", worker.channel.take_worker_end());
    }
    CHECK(sees_end(connections[0].client.get()));
}

TEST_CASE_FIXTURE(Fixture, "the master's probes go to nobody, and what stands behind them does")
{
    FakeWorker worker;
    connections.push_back(make_connection());
    REQUIRE_FALSE(worker.channel.send_probe(connections[0].server.get()));
    REQUIRE_FALSE(worker.channel.send_probe(connections[0].server.get()));
    hand_off(worker, {record_of(1)});
    bury("worker 1", worker);

    CHECK(sees_end(connections[0].client.get()));
    CHECK((take_all() == Ids{1}));
    CHECK((reports.list == Reports{{"worker 1", 1, 0}}));
}

TEST_CASE_FIXTURE(Fixture, "nothing is kept of a worker that left nothing but probes")
{
    FakeWorker worker;
    const auto pair = make_connection();
    REQUIRE_FALSE(worker.channel.send_probe(pair.server.get()));
    bury("worker 1", worker);
    CHECK(queue.is_empty());
    CHECK((reports.list == Reports{{"worker 1", 0, 0}}));
}

TEST_CASE_FIXTURE(Fixture, "a probe goes also when no descriptor is left to read it with")
{
    FakeWorker worker;
    auto pair = make_connection();
    REQUIRE_FALSE(worker.channel.send_probe(pair.server.get()));
    pair.server.reset();
    {
        const ScopedFdLimit limit{0};
        bury("worker 1", worker);
    }
    CHECK(queue.is_empty());
    CHECK(sees_end(pair.client.get()));
}

TEST_SUITE_END();

} // namespace usher::reclaim_queue_test
