// SPDX-License-Identifier: MIT
#include "balancer/dispatch/listener.hpp"

#include "balancer/dispatch/dispatcher.hpp"
#include "common/handoff_address.hpp"
#include "common/scoreboard.hpp"
#include "tests/support/allocations.hpp"
#include "tests/support/fake_worker.hpp"
#include "tests/support/fds.hpp"
#include "tests/support/no_fd_leak.hpp"
#include "tests/support/printing.hpp"
#include "tests/support/reclaim_reports.hpp"
#include "tests/support/run_until.hpp"
#include "tests/support/sockets.hpp"
#include "tests/support/temp_dir.hpp"

#include <boost/asio/io_context.hpp>
#include <doctest/doctest.h>

#include <memory>
#include <system_error>
#include <vector>

namespace usher::listener_test {

using namespace usher::test;
using namespace std::chrono_literals;

namespace {

class AcceptFailures final : public Listener::Observer {
public:
    struct Failure {
        std::uint16_t listener;
        std::error_code error;
        std::chrono::milliseconds pause;
    };

    void on_accept_failure(const Listener& listener, std::error_code error,
                           std::chrono::milliseconds pause) noexcept override
    {
        list.push_back({listener.index(), error, pause});
    }

    void on_closed(const Listener&) override { ++closed; }

    std::vector<Failure> list;
    int closed = 0;
};

struct Fixture : NoFdLeak {
    boost::asio::io_context io;
    ReclaimReports reports;
    AcceptFailures failures;
    FakeWorker worker;
    Dispatcher dispatcher{io.get_executor(), reports};
    sys::SocketAddress address;
    std::shared_ptr<Listener> listener;
    std::vector<sys::UniqueFd> clients;

    explicit Fixture(std::size_t max_queue = 64) : worker{max_queue}
    {
        dispatcher.attach(0, worker.channel);
        listen(listen_on(loopback(0)));
    }
    Fixture(const Fixture&) = delete;
    Fixture& operator=(const Fixture&) = delete;
    ~Fixture()
    {
        listener->stop();
        listener->close();
        dispatcher.stop();
        listener.reset();
        CHECK(run_to_end(io)); // nothing of a stopped listener keeps the loop running
    }

    void listen(TestListener socket)
    {
        address = socket.address;
        listener = std::make_shared<Listener>(io.get_executor(), std::move(socket.fd), 3,
                                              dispatcher, failures);
    }

    void connect(std::size_t count)
    {
        for (std::size_t i = 0; i < count; ++i)
            clients.push_back(connect_to(address));
    }

    std::uint64_t handed_off() const { return worker.channel.figures().handed_off; }

    bool run_until_handed(std::uint64_t count)
    {
        return run_until(io, [&] { return handed_off() >= count; });
    }
};

struct SmallQueue : Fixture {
    SmallQueue() : Fixture{2} {}
};

struct LargeQueue : Fixture {
    LargeQueue() : Fixture{200} {}
};

} // namespace

TEST_SUITE_BEGIN("listener");

TEST_CASE_FIXTURE(Fixture, "an accepted connection is handed off with all that is known of it")
{
    const auto before = monotonic_nanoseconds();
    listener->start();
    connect(1);
    REQUIRE(run_until_handed(1));

    worker.take_all();
    const auto& [fd, record] = worker.taken.at(0);
    CHECK(record.id == 1);
    CHECK(record.listener == 3);
    CHECK(record.reclaims() == 0);
    CHECK(record.peer == to_wire(address_of(clients[0].get())));
    CHECK(record.local.family == wire::AddressFamily::unknown); // the socket knows
    CHECK(record.accepted_at >= before);
    CHECK(record.accepted_at <= monotonic_nanoseconds());
    CHECK(is_non_blocking(fd.get()));

    write_text(clients[0].get(), "hello");
    CHECK(read_text(fd.get()) == "hello");
}

TEST_CASE_FIXTURE(Fixture, "the client of a Unix listener is known as that")
{
    const TempDir folder;
    listen(listen_on(sys::SocketAddress::unix_path((folder.path() / "s").string())));
    listener->start();
    connect(1);
    REQUIRE(run_until_handed(1));
    worker.take_all();
    CHECK(worker.taken.at(0).record.peer.family == wire::AddressFamily::unix_domain);
}

TEST_CASE_FIXTURE(Fixture, "connections that come one by one are handed off one by one")
{
    listener->start();
    for (std::uint64_t i = 1; i <= 30; ++i) {
        connect(1);
        REQUIRE(run_until_handed(i));
        CHECK(worker.take_all() == std::vector<std::uint64_t>{i});
    }
}

TEST_CASE_FIXTURE(Fixture, "a connection costs no allocation")
{
    listener->start();
    connect(1);
    REQUIRE(run_until_handed(1));
    connect(1);
    CHECK(allocations_of([&] { CHECK(run_until_handed(2)); }) == 0);
}

TEST_CASE_FIXTURE(LargeQueue, "connections that wait already are handed off in batches of 64")
{
    connect(100);
    listener->start();
    REQUIRE(run_until_handed(100));

    REQUIRE_FALSE(worker.receive());
    CHECK(worker.taken.size() == 64);
    REQUIRE_FALSE(worker.receive());
    CHECK(worker.taken.size() == 100);
}

TEST_CASE_FIXTURE(SmallQueue, "without room nothing is accepted, and it goes on when there is some")
{
    listener->start();
    connect(5);
    REQUIRE(run_until_handed(2));
    run_ready(io);
    CHECK(handed_off() == 2);

    worker.take_all();
    REQUIRE(run_until_handed(4));
    run_ready(io);
    CHECK(handed_off() == 4);

    worker.take_all();
    REQUIRE(run_until_handed(5));
    CHECK(failures.list.empty());
}

TEST_CASE_FIXTURE(Fixture, "without descriptors it pauses, says so once and goes on by itself")
{
    connect(1);
    {
        const ScopedFdLimit limit{0};
        listener->start();
        REQUIRE(run_until(io, [&] { return !failures.list.empty(); }));
        CHECK(failures.list[0].listener == 3);
        CHECK(failures.list[0].error == std::errc::too_many_files_open);
        CHECK(failures.list[0].pause == 10ms);

        io.restart();
        io.run_for(100ms); // several pauses long
        CHECK(failures.list.size() == 1);
        CHECK(handed_off() == 0);
    }
    CHECK(run_until_handed(1));
}

TEST_CASE_FIXTURE(Fixture, "with few descriptors it accepts in small batches and does not pause")
{
    connect(20);
    {
        const ScopedFdLimit limit{5};
        listener->start();
        CHECK(run_until_handed(20));
    }
    CHECK(failures.list.empty());
    CHECK(worker.take_all().size() == 20);
}

TEST_CASE_FIXTURE(LargeQueue, "stopping hands off the whole backlog, then refuses")
{
    listener->start();
    connect(100);
    listener->stop();
    CHECK(handed_off() == 64); // others have their turn in between
    CHECK(run_to_end(io));
    CHECK(failures.closed == 1);
    CHECK(worker.take_all().size() == 100);
    CHECK_THROWS_AS(connect(1), std::system_error);
}

TEST_CASE_FIXTURE(LargeQueue, "stopping is for those who waited when it began, not for a flood")
{
    connect(100);
    listener->stop();
    connect(20);
    CHECK(run_to_end(io));
    CHECK(worker.take_all().size() == 100);
}

TEST_CASE_FIXTURE(LargeQueue, "a Unix listener that stops accepts as many as its backlog can hold")
{
    const TempDir folder;
    listen(listen_on(sys::SocketAddress::unix_path((folder.path() / "s").string())));
    listener->set_backlog(70); // the kernel lets one more wait
    connect(70);
    listener->stop();
    connect(20);
    CHECK(run_to_end(io));
    CHECK(worker.take_all().size() == 70);
}

TEST_CASE_FIXTURE(LargeQueue, "a listener that hands off what waits can be closed at once")
{
    connect(100);
    listener->stop();
    listener->close();
    CHECK(failures.closed == 1);
    CHECK(run_to_end(io));
    CHECK(worker.take_all().size() == 64);
    CHECK(failures.closed == 1);
}

TEST_CASE_FIXTURE(Fixture, "stopping with few descriptors hands off the whole backlog as well")
{
    connect(20);
    {
        const ScopedFdLimit limit{5};
        listener->stop();
        CHECK(run_to_end(io));
    }
    CHECK(worker.take_all().size() == 20);
}

TEST_CASE_FIXTURE(SmallQueue, "stopping closes those for whom there is no room")
{
    connect(3);
    listener->stop();
    CHECK(worker.take_all().size() == 2);
    CHECK(sees_end(clients[2].get()));
}

TEST_CASE_FIXTURE(SmallQueue, "a listener that waits for room can be stopped")
{
    listener->start();
    connect(3);
    REQUIRE(run_until_handed(2));
    listener->stop();
    listener->stop();
    worker.take_all();
    CHECK(run_to_end(io));
    CHECK(handed_off() == 2);
}

TEST_SUITE_END();

} // namespace usher::listener_test
