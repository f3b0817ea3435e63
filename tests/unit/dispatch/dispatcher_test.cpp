// SPDX-License-Identifier: MIT
#include "balancer/dispatch/dispatcher.hpp"

#include "tests/support/allocations.hpp"
#include "tests/support/fake_worker.hpp"
#include "tests/support/fds.hpp"
#include "tests/support/no_fd_leak.hpp"
#include "tests/support/reclaim_reports.hpp"
#include "tests/support/run_until.hpp"
#include "tests/support/sockets.hpp"

#include <boost/asio/io_context.hpp>
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>
#include <iterator>
#include <limits>
#include <memory>
#include <numeric>
#include <vector>

#include <sys/socket.h>

namespace usher::dispatcher_test {

using namespace usher::test;
using namespace std::chrono_literals;

namespace {

using Ids = std::vector<std::uint64_t>;

/// A listener that only counts how often it is resumed.
struct CountingSource final : Dispatcher::Source {
    int resumed = 0;

    void resume() override { ++resumed; }
};

struct Fixture : NoFdLeak {
    boost::asio::io_context io;
    ReclaimReports reports;
    std::deque<FakeWorker> workers;
    std::vector<sys::UniqueFd> clients; ///< the n-th has connection id n + 1
    Dispatcher dispatcher{io.get_executor(), reports};

    FakeWorker& add_worker(std::size_t max_queue = 64)
    {
        auto& worker = workers.emplace_back(max_queue);
        dispatcher.attach(workers.size() - 1, worker.channel);
        return worker;
    }

    void give_one()
    {
        auto connection = make_connection();
        clients.push_back(std::move(connection.client));
        dispatcher.give(std::move(connection.server), record_of(dispatcher.next_connection_id()));
    }

    void give(std::size_t count)
    {
        for (std::size_t i = 0; i < count; ++i) {
            REQUIRE(dispatcher.has_room());
            give_one();
        }
        dispatcher.flush();
    }

    /// What waits for it moves to idle ones soon.
    FakeWorker& add_moving_worker(std::size_t max_queue = 64)
    {
        auto& worker = add_worker(max_queue);
        worker.channel.set_move_after(100ms);
        return worker;
    }

    /// The first connection of each, so that it counts as one that takes what it gets.
    void let_all_take_one()
    {
        give(workers.size());
        for (auto& worker : workers)
            worker.take_all();
    }

    void detach(std::size_t slot) { dispatcher.detach(slot, workers[slot].channel); }

    /// The worker in `slot` dies: what it has not taken is for others.
    void kill(std::size_t slot)
    {
        detach(slot);
        dispatcher.reclaim("worker " + std::to_string(slot + 1),
                           workers[slot].channel.take_worker_end());
    }

    /// Runs until `worker` was handed `count` connections in all.
    bool run_until_handed(FakeWorker& worker, std::uint64_t count)
    {
        return run_until(io, [&] { return worker.channel.figures().handed_off >= count; });
    }

    bool are_clients_alive() const
    {
        for (const auto& client : clients)
            if (is_readable(client.get())) // nobody sent, so it could only be the end
                return false;
        return true;
    }
};

/// Makes the kernel refuse the next packet for `worker`, while its page says that it has room.
void fill_socket(FakeWorker& worker)
{
    const auto null = open_null();
    std::error_code error;
    while (!error) {
        error = hand_off(worker.channel, null.get(), record_of(0));
        worker.page().accepted = worker.channel.figures().handed_off;
    }
    worker.channel.unblock();
}

} // namespace

TEST_SUITE_BEGIN("dispatcher");

TEST_CASE_FIXTURE(Fixture, "connections go to the workers in strict turns, over batches too")
{
    auto& first = add_worker();
    auto& second = add_worker();
    auto& third = add_worker();

    give(4);
    give(1);
    give(4);
    CHECK((first.take_all() == Ids{1, 4, 7}));
    CHECK((second.take_all() == Ids{2, 5, 8}));
    CHECK((third.take_all() == Ids{3, 6, 9}));
    CHECK(dispatcher.counters().handed_off == 9);
}

TEST_CASE_FIXTURE(Fixture, "a worker gets the client's connection, and nobody else keeps it open")
{
    auto& worker = add_worker();
    give(1);
    REQUIRE_FALSE(worker.receive());

    write_text(clients[0].get(), "hello");
    CHECK(read_text(worker.taken[0].fd.get()) == "hello");

    worker.taken.clear();
    CHECK(sees_end(clients[0].get()));
}

TEST_CASE_FIXTURE(Fixture, "each touched worker gets one packet for a batch")
{
    auto& first = add_worker();
    auto& second = add_worker();
    give(6);
    for (auto* const worker : {&first, &second}) {
        REQUIRE_FALSE(worker->receive());
        CHECK(worker->taken.size() == 3);
        CHECK(worker->receive() == std::errc::operation_would_block);
    }
}

TEST_CASE_FIXTURE(Fixture, "no packet is larger than the worker asked for")
{
    auto& worker = add_worker();
    worker.channel.set_max_batch(2);
    give(5);

    for (const std::size_t so_far : {2U, 4U, 5U}) {
        REQUIRE_FALSE(worker.receive());
        CHECK(worker.taken.size() == so_far);
    }
    CHECK(worker.receive() == std::errc::operation_would_block);
}

TEST_CASE_FIXTURE(Fixture, "one batch is 64 connections; there is room again after the flush")
{
    auto& worker = add_worker(200);
    for (int i = 0; i < 64; ++i) {
        REQUIRE(dispatcher.has_room());
        give_one();
    }
    CHECK_FALSE(dispatcher.has_room());
    dispatcher.flush();
    CHECK(dispatcher.has_room());
    CHECK(worker.take_all().size() == 64);
}

TEST_CASE_FIXTURE(Fixture, "a full worker is passed over")
{
    auto& small = add_worker(1);
    auto& large = add_worker(64);
    give(4);
    CHECK((small.take_all() == Ids{1}));
    CHECK((large.take_all() == Ids{2, 3, 4}));

    give(2);
    CHECK((small.take_all() == Ids{5}));
    CHECK((large.take_all() == Ids{6}));
}

TEST_CASE_FIXTURE(Fixture, "there is no room without a worker, nor when all are full")
{
    CHECK_FALSE(dispatcher.has_room());

    auto& first = add_worker(1);
    add_worker(1);
    give(2);
    CHECK_FALSE(dispatcher.has_room());

    first.take_all();
    CHECK(dispatcher.has_room());
}

TEST_CASE_FIXTURE(Fixture, "a detached worker gets nothing more")
{
    auto& first = add_worker();
    auto& second = add_worker();
    give(2);
    detach(0);
    dispatcher.detach(17, second.channel); // nobody is there
    dispatcher.detach(0, second.channel);  // is not there
    give(2);
    CHECK((first.take_all() == Ids{1}));
    CHECK((second.take_all() == Ids{2, 3, 4}));

    detach(1);
    CHECK_FALSE(dispatcher.has_room());
}

TEST_CASE_FIXTURE(Fixture, "a waiting source is resumed once when a worker takes a connection")
{
    auto& worker = add_worker(1);
    CountingSource source;
    give(1);
    dispatcher.wait_for_room(source);
    dispatcher.wait_for_room(source);

    worker.take_all();
    CHECK(run_until(io, [&] { return source.resumed > 0; }));
    CHECK(run_to_end(io)); // nobody waits any more, so nothing is watched
    CHECK(source.resumed == 1);
}

TEST_CASE_FIXTURE(Fixture, "a waiting source is resumed when a worker comes")
{
    CountingSource source;
    dispatcher.wait_for_room(source);
    CHECK(run_to_end(io)); // there is nothing to watch without a worker
    CHECK(source.resumed == 0);

    add_worker();
    CHECK(source.resumed == 1);
}

TEST_CASE_FIXTURE(Fixture, "a forgotten source is not resumed")
{
    CountingSource source;
    dispatcher.wait_for_room(source);
    dispatcher.forget(source);
    add_worker();
    CHECK(source.resumed == 0);
}

TEST_CASE_FIXTURE(Fixture, "what a dead worker had not taken goes to the others in turn")
{
    add_worker();
    auto& second = add_worker();
    auto& third = add_worker();
    give(9);
    kill(0);

    CHECK((second.take_all() == Ids{2, 5, 8, 1, 7}));
    CHECK((third.take_all() == Ids{3, 6, 9, 4}));
    CHECK((reports.list == ReclaimReports::List{{"worker 1", 3, 0}}));
    CHECK(dispatcher.counters().reclaimed == 3);
    CHECK(dispatcher.counters().handed_off == 12);
    CHECK(are_clients_alive());
}

TEST_CASE_FIXTURE(Fixture, "connections wait for a worker when the last one died")
{
    add_worker();
    give(3);
    kill(0);
    CHECK_FALSE(dispatcher.has_room());
    CHECK(are_clients_alive());

    auto& successor = add_worker();
    CHECK((successor.take_all() == Ids{1, 2, 3}));
    CHECK(dispatcher.has_room());
}

TEST_CASE_FIXTURE(Fixture, "reclaimed connections go before new ones")
{
    add_worker();
    auto& survivor = add_worker(2);
    CountingSource source;
    give(4);
    dispatcher.wait_for_room(source);
    kill(0);
    CHECK_FALSE(dispatcher.has_room());

    CHECK((survivor.take_all() == Ids{2, 4}));
    CHECK(run_until_handed(survivor, 4));
    run_ready(io);
    CHECK(source.resumed == 0); // the room went to the reclaimed ones
    CHECK((survivor.take_all() == Ids{1, 3}));

    CHECK(run_until(io, [&] { return source.resumed > 0; }));
    CHECK(dispatcher.has_room());
}

TEST_CASE_FIXTURE(Fixture, "a connection whose worker dies a second time is closed and counted")
{
    add_worker();
    add_worker();
    give(2);
    kill(0);
    kill(1);
    auto& third = add_worker();

    CHECK((third.take_all() == Ids{2}));
    CHECK(sees_end(clients[0].get()));
    CHECK(dispatcher.counters().closed_as_suspect == 1);
}

TEST_CASE_FIXTURE(Fixture,
                  "workers that are told to end one after the other say nothing against it")
{
    add_worker();
    add_worker();
    give(2);
    for (const std::size_t slot : {0U, 1U}) { // as a reload of two workers does
        detach(slot);
        dispatcher.take_back("worker", workers[slot].channel.take_worker_end());
    }
    auto& third = add_worker();

    CHECK((third.take_all() == Ids{2, 1}));
    CHECK(dispatcher.counters().reclaimed == 3);
    CHECK(dispatcher.counters().closed_as_suspect == 0);
}

TEST_CASE_FIXTURE(Fixture, "reclaiming waits for descriptors and loses nothing")
{
    add_worker();
    auto& second = add_worker();
    give(4);
    detach(0);
    {
        auto worker_end = workers[0].channel.take_worker_end();
        const ScopedFdLimit limit{1};
        dispatcher.reclaim("worker 1", std::move(worker_end));
        CHECK_FALSE(dispatcher.has_room());
        CHECK(second.channel.figures().handed_off == 2);
    }
    CHECK(run_until_handed(second, 4));
    CHECK((second.take_all() == Ids{2, 4, 1, 3}));
    CHECK(are_clients_alive());
}

TEST_CASE_FIXTURE(Fixture, "what waits behind a busy worker goes to the idle ones, in turn")
{
    auto& busy = add_moving_worker();
    auto& second = add_moving_worker();
    auto& third = add_moving_worker();
    let_all_take_one();
    give(9);
    second.take_all();
    third.take_all();

    CHECK(run_until(io, [&] { return dispatcher.counters().moved == 3; }));
    CHECK((busy.take_all() == Ids{}));
    auto moved = second.take_all();
    CHECK(!moved.empty());
    std::ranges::copy(third.take_all(), std::back_inserter(moved));
    std::ranges::sort(moved);
    CHECK((moved == Ids{4, 7, 10}));
    CHECK(dispatcher.counters().handed_off == 12); // each once
    CHECK(busy.channel.figures().handed_off == 1);
    CHECK(busy.channel.figures().queued == 0);
    CHECK(busy.channel.figures().moved == 3);
    CHECK(busy.channel.audit().empty());
    CHECK(are_clients_alive());

    give(2); // the others have lost no turn by what they were given besides
    CHECK((second.take_all() == Ids{13}));
    CHECK((third.take_all() == Ids{14}));
}

TEST_CASE_FIXTURE(Fixture, "a busy worker gets one at a time until it takes one")
{
    auto& busy = add_moving_worker();
    auto& other = add_moving_worker();
    let_all_take_one();
    give(4);
    other.take_all();
    REQUIRE(run_until(io, [&] { return dispatcher.counters().moved == 2; }));
    other.take_all();

    give(6);
    CHECK(busy.channel.figures().queued == 0); // not so soon again
    other.take_all();
    CHECK(run_until(io, [&] {
        if (busy.channel.queue_watch().has_turn())
            return true;
        give(1); // as long as some come, it is looked at
        other.take_all();
        return false;
    }));
    give(6);
    CHECK(busy.channel.figures().queued == 1);
    CHECK(busy.take_all().size() == 1);
    CHECK(other.take_all().size() == 5);
    give(6);
    CHECK(busy.take_all().size() == 3);
}

TEST_CASE_FIXTURE(Fixture, "behind busy workers one waits here, then there, until one is free")
{
    auto& first = add_moving_worker();
    auto& second = add_moving_worker();
    let_all_take_one();
    give(1); // the first one's turn
    REQUIRE(run_until(io, [&] { return second.channel.figures().queued == 1; }));
    REQUIRE(run_until(io, [&] { return first.channel.figures().queued == 1; }));
    REQUIRE(run_until(io, [&] { return second.channel.figures().queued == 1; }));
    CHECK((second.take_all() == Ids{3}));
    CHECK(dispatcher.counters().moved == 3);
    CHECK(run_to_end(io)); // nothing waits, and no timer runs
}

TEST_CASE_FIXTURE(Fixture, "nothing moves while nobody is idle, nor from one that takes some")
{
    auto& first = add_moving_worker();
    auto& second = add_moving_worker();
    let_all_take_one();
    give(40);
    for (int i = 0; i < 10; ++i) {
        io.restart();
        io.run_one_until(std::chrono::steady_clock::now() + 60s);
    }
    CHECK(dispatcher.counters().moved == 0);
    CHECK(first.take_all().size() == 20);
    CHECK(second.take_all().size() == 20);
}

TEST_CASE_FIXTURE(Fixture, "with move_after 0 what waits for a worker stays there")
{
    auto& busy = add_worker();
    add_worker();
    let_all_take_one();
    give(2);
    workers[1].take_all();
    CHECK(run_to_end(io)); // there is no timer at all
    CHECK(busy.take_all().size() == 1);
}

TEST_CASE_FIXTURE(Fixture, "what waits behind a busy worker that leaves goes to others as well")
{
    auto& leaving = add_moving_worker();
    auto& other = add_moving_worker();
    let_all_take_one();
    give(4);
    other.take_all();
    FakeWorker successor{64};
    SUBCASE("and leaves its slot empty")
    {
        detach(0);
    }
    SUBCASE("and another takes its place")
    {
        dispatcher.attach(0, successor.channel);
        detach(0); // comes after it
    }
    leaving.channel.shut_down();
    CHECK(run_until(io, [&] { return dispatcher.counters().moved == 2; }));
    CHECK((other.take_all() == Ids{3, 5}));
    CHECK(leaving.receive() == std::errc::not_connected); // it reads the end
    CHECK(run_to_end(io));
}

TEST_CASE_FIXTURE(Fixture, "a worker that leaves may end while something waits behind it")
{
    {
        FakeWorker leaving{64};
        leaving.channel.set_move_after(100ms);
        dispatcher.attach(1, leaving.channel);
        add_moving_worker();
        give(2);
        dispatcher.detach(1, leaving.channel);
    }
    CHECK(workers[0].take_all().size() == 1);
    CHECK(run_to_end(io));
    CHECK(dispatcher.counters().moved == 0);
}

TEST_CASE_FIXTURE(Fixture, "a new worker is given what waits behind a busy one, packet by packet")
{
    auto& busy = add_moving_worker();
    let_all_take_one();
    give(3);
    give(2);
    auto& fresh = add_moving_worker(); // and no further client comes
    REQUIRE(run_until(io, [&] { return dispatcher.counters().moved == 3; }));
    CHECK(fresh.channel.figures().queued == 3); // nobody knows yet whether it takes any
    CHECK((fresh.take_all() == Ids{2, 3, 4}));
    REQUIRE(run_until(io, [&] { return dispatcher.counters().moved == 5; }));
    CHECK((fresh.take_all() == Ids{5, 6}));
    CHECK(busy.take_all().empty());
    CHECK(are_clients_alive());
}

TEST_CASE_FIXTURE(Fixture, "who is free first gets a packet of several connections, too")
{
    auto& free = add_moving_worker();
    auto& busy = add_moving_worker();
    auto& idle = add_moving_worker();
    let_all_take_one();
    give(1);
    REQUIRE(run_until(io, [&] { return dispatcher.counters().moved == 1; }));
    busy.take_all();
    idle.take_all();
    REQUIRE(run_to_end(io)); // the first one was passed over, and may be free by now

    detach(0);
    idle.channel.set_max_queue(0);
    give(2);
    REQUIRE(busy.channel.figures().queued == 2);
    dispatcher.attach(0, free.channel);
    CHECK(run_until(io, [&] { return dispatcher.counters().moved == 3; }));
    CHECK((free.take_all() == Ids{5, 6}));
}

TEST_CASE_FIXTURE(Fixture, "a worker that leaves gives up what waits although it has taken none")
{
    add_moving_worker();
    auto& other = add_moving_worker();
    give(2);
    other.take_all();
    detach(0);
    CHECK(run_until(io, [&] { return dispatcher.counters().moved == 1; }));
    CHECK((other.take_all() == Ids{1}));
    CHECK(run_to_end(io));
}

TEST_CASE_FIXTURE(Fixture, "moving waits for descriptors and loses nothing")
{
    auto& busy = add_moving_worker();
    auto& other = add_moving_worker();
    let_all_take_one();
    give(2);
    other.take_all();
    {
        const ScopedFdLimit limit{0};
        for (int i = 0; i < 5; ++i) {
            io.restart();
            io.run_one_until(std::chrono::steady_clock::now() + 60s);
        }
        CHECK(dispatcher.counters().moved == 0);
        CHECK(busy.channel.figures().queued == 1);
    }
    CHECK(run_until(io, [&] { return dispatcher.counters().moved == 1; }));
    CHECK((other.take_all() == Ids{3}));
    CHECK(are_clients_alive());
}

TEST_CASE_FIXTURE(Fixture,
                  "a page that is scribbled over between the question and the gift loses nothing")
{
    auto& worker = add_worker();
    REQUIRE(dispatcher.has_room());
    worker.page().accepted = std::numeric_limits<std::uint64_t>::max();
    give_one();
    give_one();
    dispatcher.flush();
    CHECK_FALSE(dispatcher.has_room()); // pages are looked at once a batch
    CHECK(are_clients_alive());

    kill(0); // which is what follows, when the page is audited
    auto& other = add_worker();
    CHECK((other.take_all() == Ids{1, 2}));
}

TEST_CASE_FIXTURE(Fixture, "a connection that has no worker after all waits for one")
{
    auto& worker = add_worker();
    worker.page().accepted = std::numeric_limits<std::uint64_t>::max();
    give_one(); // without the question
    give_one();
    dispatcher.flush();
    CHECK(worker.channel.figures().handed_off == 0);
    CHECK_FALSE(dispatcher.has_room());
    CHECK(are_clients_alive());

    SUBCASE("another worker takes them")
    {
        auto& other = add_worker();
        CHECK((other.take_all() == Ids{1, 2}));
    }
    SUBCASE("the worker takes them once its page makes sense again")
    {
        worker.page().accepted = 0;
        CHECK(run_until_handed(worker, 2));
        CHECK((worker.take_all() == Ids{1, 2}));
    }
}

TEST_CASE_FIXTURE(Fixture, "room that is used up in a batch is looked for once more")
{
    auto& worker = add_worker(1);
    REQUIRE(dispatcher.has_room());
    give_one();
    CHECK_FALSE(dispatcher.has_room());
    dispatcher.flush();
    worker.take_all();
    CHECK(dispatcher.has_room());
}

TEST_CASE_FIXTURE(Fixture, "on the way of a connection nothing is allocated, whatever fails")
{
    auto& full = workers.emplace_back();
    fill_socket(full);
    dispatcher.attach(0, full.channel);
    auto& broken = add_worker();
    REQUIRE(::shutdown(broken.channel.worker_ends().front(), SHUT_RDWR) == 0);
    CountingSource source;
    dispatcher.wait_for_room(source);
    REQUIRE(run_to_end(io)); // the event loop has its memory for timers by now

    std::vector<Connected> made;
    for (int i = 0; i < 40; ++i)
        made.push_back(make_connection());
    CHECK(allocations_of([&] {
              for (auto& connection : made)
                  dispatcher.give(std::move(connection.server),
                                  record_of(dispatcher.next_connection_id()));
              dispatcher.flush();
              dispatcher.wait_for_room(source);
              dispatcher.forget(source);
          }) == 0);
    CHECK(broken.channel.broken_by());
    for (auto& connection : made)
        clients.push_back(std::move(connection.client));

    auto& other = add_worker();
    CHECK(run_until_handed(other, 40));
    CHECK(other.take_all().size() == 40);
    CHECK(are_clients_alive());
}

TEST_CASE_FIXTURE(Fixture, "what a full socket gives back goes to the others")
{
    auto& full = workers.emplace_back();
    fill_socket(full);
    const auto filling = full.channel.figures().handed_off;
    dispatcher.attach(0, full.channel);
    auto& other = add_worker();

    give(4);
    CHECK_FALSE(dispatcher.has_room()); // until those that came back have a worker
    CHECK(run_until_handed(other, 4));
    CHECK(full.channel.figures().handed_off == filling);
    const auto ids = other.take_all();
    CHECK(ids.size() == 4);
    CHECK(std::accumulate(ids.begin(), ids.end(), std::uint64_t{0}) == 1 + 2 + 3 + 4);
    CHECK(dispatcher.has_room());
    CHECK(are_clients_alive());
}

TEST_CASE_FIXTURE(Fixture, "what a full socket gives back stays in its order and goes to it again")
{
    auto& full = workers.emplace_back();
    fill_socket(full);
    const auto filling = full.channel.figures().handed_off;
    dispatcher.attach(0, full.channel);
    give(3);
    REQUIRE(full.channel.figures().handed_off == filling);

    while (!full.receive()) { // its page has counted these already
    }
    full.taken.clear();
    CHECK(run_until_handed(full, filling + 3));
    CHECK((full.take_all() == Ids{1, 2, 3}));
    CHECK(are_clients_alive());
}

TEST_CASE_FIXTURE(Fixture, "what a worker with a broken socket cannot be given goes to the others")
{
    auto& broken = add_worker();
    auto& other = add_worker();
    REQUIRE(::shutdown(broken.channel.worker_ends().front(), SHUT_RDWR) == 0);

    give(4);
    CHECK(run_until_handed(other, 4));
    CHECK(other.take_all().size() == 4);
    CHECK(broken.channel.figures().handed_off == 0);
    give(2); // and it is not tried again
    CHECK((other.take_all() == Ids{5, 6}));
    CHECK(are_clients_alive());
}

TEST_CASE_FIXTURE(Fixture, "stopping closes and counts what has no worker yet")
{
    auto& worker = add_worker();
    give(2);
    worker.page().accepted = std::numeric_limits<std::uint64_t>::max();
    give_one(); // waits in the dispatcher: nobody has asked for room
    dispatcher.flush();
    kill(0); // leaves two in its queue

    CHECK(dispatcher.stop() == 3);
    for (const auto& client : clients)
        CHECK(sees_end(client.get()));
    CHECK_FALSE(dispatcher.has_room());
    CHECK(run_to_end(io));
}

TEST_CASE_FIXTURE(Fixture, "stopping leaves what was handed off to its worker")
{
    auto& worker = add_worker();
    give(2);
    CHECK(dispatcher.stop() == 0);
    CHECK((worker.take_all() == Ids{1, 2}));
    CHECK(are_clients_alive());
}

TEST_CASE_FIXTURE(Fixture, "no two connections have the same number")
{
    CHECK(dispatcher.next_connection_id() == 1);
    CHECK(dispatcher.next_connection_id() == 2);
}

TEST_SUITE_END();

} // namespace usher::dispatcher_test
