// SPDX-License-Identifier: MIT
//
// The worker library under a master that lives in this process.
#include "usher/worker/acceptor.hpp"

#include "usher/worker/detail/inlet.hpp"

#include "tests/support/fake_master.hpp"
#include "tests/support/fds.hpp"
#include "tests/support/no_fd_leak.hpp"
#include "tests/support/printing.hpp"
#include "tests/support/run_until.hpp"
#include "tests/support/sockets.hpp"

#include "common/handoff_address.hpp"
#include "common/wire/environment.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <doctest/doctest.h>

#include <cstdlib>
#include <deque>
#include <future>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <sys/socket.h>
#include <unistd.h>

namespace {

bool is_memory_short = false;

} // namespace

/// Asio takes its memory here.
extern "C" void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept
{
    void* memory = nullptr;
    return is_memory_short || ::posix_memalign(&memory, alignment, size) != 0 ? nullptr : memory;
}

namespace usher::acceptor_test {

namespace asio = boost::asio;

using namespace usher::test;
using namespace std::chrono_literals;
using usher::worker::Acceptor;
using usher::worker::Connection;

namespace {

/// What became of one async_accept().
struct Outcome {
    bool done = false;
    boost::system::error_code error;
    std::optional<Connection> connection;
};

struct Fixture : NoFdLeak {
    asio::io_context io;
    FakeMaster master;
    std::optional<Acceptor> acceptor{std::in_place, io};
    std::vector<sys::UniqueFd> clients; ///< the n-th has connection id n + 1
    std::deque<Outcome> outcomes;

    Fixture() = default;
    Fixture(const Fixture&) = delete;
    Fixture& operator=(const Fixture&) = delete;
    ~Fixture()
    {
        acceptor.reset();
        CHECK(run_to_end(io)); // nothing of a closed acceptor keeps the loop running
    }

    /// Hands over `count` connections in one packet.
    void hand_off(std::size_t count)
    {
        std::vector<std::pair<sys::UniqueFd, wire::HandoffRecord>> batch;
        for (std::size_t i = 0; i < count; ++i) {
            auto pair = make_connection();
            clients.push_back(std::move(pair.client));
            batch.emplace_back(std::move(pair.server), wire::HandoffRecord{.id = clients.size()});
        }
        master.hand_off(std::move(batch));
    }

    /// Starts an async_accept() that is bound to `slot`.
    Outcome& start_accept(asio::cancellation_slot slot = {})
    {
        auto& outcome = outcomes.emplace_back();
        acceptor->async_accept(asio::bind_cancellation_slot(
            slot, [&outcome](boost::system::error_code error, Connection connection) {
                outcome.done = true;
                outcome.error = error;
                if (!error)
                    outcome.connection.emplace(std::move(connection));
            }));
        return outcome;
    }

    Outcome& finish(Outcome& outcome)
    {
        REQUIRE(run_until(io, [&outcome] { return outcome.done; }));
        return outcome;
    }

    Outcome& accept_outcome() { return finish(start_accept()); }

    Connection accept()
    {
        auto& outcome = accept_outcome();
        REQUIRE_FALSE(outcome.error);
        return std::move(*std::exchange(outcome.connection, std::nullopt));
    }

    std::uint64_t accepted() const { return master.page().accepted; }
    std::uint64_t closed() const { return master.page().closed; }

    bool are_clients_alive() const
    {
        for (const auto& client : clients)
            if (is_readable(client.get())) // nobody sent, so it could only be the end
                return false;
        return true;
    }
};

/// A descriptor limit that is there before the Acceptor is, as in a real process.
template <std::size_t Limit>
struct Limited {
    ScopedFdLimit limit = ScopedFdLimit::at(Limit);
};

struct FewDescriptors : Limited<100>, Fixture {};

struct SomeDescriptors : Limited<400>, Fixture {};

/// Opens all that RLIMIT_NOFILE allows but `spare`.
std::vector<sys::UniqueFd> use_up_descriptors(std::size_t spare)
{
    std::vector<sys::UniqueFd> fillers;
    for (;;) {
        sys::UniqueFd filler{::dup(STDIN_FILENO)};
        if (!filler)
            break;
        fillers.push_back(std::move(filler));
    }
    fillers.resize(fillers.size() - spare);
    return fillers;
}

} // namespace

TEST_SUITE_BEGIN("acceptor");

TEST_CASE_FIXTURE(Fixture, "it says hello at once, and ready when told to")
{
    const auto hello = master.heard();
    REQUIRE(hello.size() == 1);
    CHECK(hello[0] == wire::ControlMessage{wire::Hello{
                          .protocol = 1, .max_batch = 64, .fallback = "127.0.0.1:8000"}});

    acceptor->ready();
    const auto ready = master.heard();
    REQUIRE(ready.size() == 1);
    CHECK(ready[0] == wire::ControlMessage{wire::Ready{}});
}

TEST_CASE_FIXTURE(Fixture, "it knows who it is")
{
    REQUIRE(acceptor->identity() != nullptr);
    CHECK(acceptor->identity()->pool == "api");
    CHECK(acceptor->identity()->slot == 2);
    CHECK(acceptor->identity()->id == 7);
    CHECK(acceptor->identity()->generation == 3);
    CHECK_THROWS_AS(std::ignore = acceptor->listening_on(), std::logic_error);
    CHECK(&acceptor->context() == &io);
}

TEST_CASE_FIXTURE(Fixture, "programs that it starts are not taken for workers")
{
    for (const char* const name :
         {"USHER_PROTOCOL", "USHER_HANDOFF_FD", "USHER_CONTROL_FD", "USHER_SCOREBOARD_FD",
          "USHER_WORKER_ID", "USHER_SLOT", "USHER_GENERATION", "USHER_POOL"})
        CHECK_MESSAGE(std::getenv(name) == nullptr, name);
}

TEST_CASE_FIXTURE(Fixture, "connections arrive in the order of their packets")
{
    hand_off(3);
    hand_off(1);
    for (std::uint64_t id = 1; id <= 4; ++id) {
        auto connection = accept();
        CHECK(connection.id == id);

        write_text(clients[id - 1].get(), "ping");
        std::string text(4, ' ');
        CHECK(asio::read(connection.socket, asio::buffer(text)) == 4);
        CHECK(text == "ping");
        asio::write(connection.socket, asio::buffer("pong", 4));
        CHECK(read_text(clients[id - 1].get()) == "pong");
    }
}

TEST_CASE_FIXTURE(Fixture, "a connection brings all that the master knew of it")
{
    const auto listener = listen_on(loopback(0));
    const auto client = connect_to(listener.address);
    sys::UniqueFd server{
        ::accept4(listener.fd.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)};
    const auto client_address = address_of(client.get());

    wire::HandoffRecord record{
        .id = 17, .accepted_at = 123'456'789, .listener = 4, .peer = to_wire(client_address)};
    const auto hand_over = [&] {
        std::vector<std::pair<sys::UniqueFd, wire::HandoffRecord>> batch;
        batch.emplace_back(std::move(server), record);
        master.hand_off(std::move(batch));
    };
    const auto address_text = [](const worker::Endpoint& endpoint) {
        return sys::SocketAddress{endpoint.data(), static_cast<socklen_t>(endpoint.size())}
            .to_string();
    };

    SUBCASE("and asks the kernel where it came to")
    {
        hand_over();
        const auto connection = accept();
        CHECK(connection.id == 17);
        CHECK(connection.listener == 4);
        CHECK(connection.accepted_at.time_since_epoch() == 123'456'789ns);
        CHECK(address_text(connection.peer) == client_address.to_string());
        CHECK_FALSE(connection.known_local);
        CHECK(address_text(connection.local()) == listener.address.to_string());
    }
    SUBCASE("and where it came to, if that was known")
    {
        record.local = {.family = wire::AddressFamily::ipv4,
                        .port = 443,
                        .scope_id = 0,
                        .bytes = {192, 0, 2, 1}};
        hand_over();
        auto connection = accept();
        CHECK(address_text(connection.local()) == "192.0.2.1:443");
        connection.socket.close();
        CHECK(address_text(connection.local()) == "192.0.2.1:443");
    }
}

TEST_CASE_FIXTURE(Fixture, "the local address of a closed connection is an error")
{
    hand_off(1);
    auto connection = accept();
    connection.socket.close();
    CHECK_THROWS_AS(std::ignore = connection.local(), boost::system::system_error);
}

TEST_CASE_FIXTURE(Fixture, "a connection is non-blocking and close-on-exec")
{
    hand_off(1);
    auto connection = accept();
    CHECK(is_non_blocking(connection.socket.native_handle()));
    CHECK(is_close_on_exec(connection.socket.native_handle()));
}

TEST_CASE_FIXTURE(Fixture, "after the shut-down comes what was queued, then end of file, for good")
{
    hand_off(2);
    master.shut_down();
    CHECK(accept().id == 1);
    CHECK_FALSE(acceptor->is_draining());
    CHECK(accept().id == 2);

    CHECK(accept_outcome().error == asio::error::eof);
    CHECK(acceptor->is_draining());
    CHECK(accept_outcome().error == asio::error::eof);
}

TEST_CASE_FIXTURE(Fixture, "a master that dies is an end of file")
{
    auto& waiting = start_accept();
    run_ready(io);
    CHECK_FALSE(waiting.done);
    master.die();
    CHECK(finish(waiting).error == asio::error::eof);
    CHECK(acceptor->is_draining());
}

TEST_CASE_FIXTURE(Fixture, "a master that says drain is believed before the end of file comes")
{
    master.say("what is this?");
    master.say(wire::encode_welcome(7, 2, 1));
    run_ready(io);
    CHECK_FALSE(acceptor->is_draining());

    master.say(wire::encode_drain(30s));
    CHECK(run_until(io, [&] { return acceptor->is_draining(); }));
}

TEST_CASE_FIXTURE(Fixture, "a cancelled accept leaves the connection for the next one")
{
    bool comes_before = false;
    SUBCASE("that comes later") {}
    SUBCASE("that has just come")
    {
        comes_before = true;
    }

    for (const auto type : {asio::cancellation_type::terminal, asio::cancellation_type::partial,
                            asio::cancellation_type::total}) {
        asio::cancellation_signal signal;
        auto& waiting = start_accept(signal.slot());
        run_ready(io);
        if (comes_before)
            hand_off(1);
        signal.emit(type);
        CHECK(finish(waiting).error == asio::error::operation_aborted);
        if (!comes_before)
            hand_off(1);
        CHECK(accept().id == clients.size());
    }
}

TEST_CASE_FIXTURE(Fixture, "an accept of what is buffered already can be cancelled as well")
{
    hand_off(2);
    CHECK(accept().id == 1);

    asio::cancellation_signal signal;
    auto& cancelled = start_accept(signal.slot());
    signal.emit(asio::cancellation_type::total);
    CHECK(finish(cancelled).error == asio::error::operation_aborted);
    CHECK(accept().id == 2);
}

TEST_CASE_FIXTURE(Fixture, "a handler never runs inside async_accept()")
{
    hand_off(2);
    CHECK(accept().id == 1);
    auto& second = start_accept();
    CHECK_FALSE(second.done);
    CHECK_FALSE(finish(second).error);
}

TEST_CASE_FIXTURE(Fixture, "two accepts may wait at the same time")
{
    auto& first = start_accept();
    auto& second = start_accept();
    SUBCASE("for one packet")
    {
        hand_off(2);
        finish(first);
        finish(second);
    }
    SUBCASE("for a packet each")
    {
        hand_off(1);
        REQUIRE(run_until(io, [&] { return first.done || second.done; }));
        run_ready(io);
        CHECK(first.done != second.done);
        hand_off(1);
        finish(first);
        finish(second);
    }
    SUBCASE("for the end of file")
    {
        master.shut_down();
        CHECK(finish(first).error == asio::error::eof);
        CHECK(finish(second).error == asio::error::eof);
        return;
    }
    REQUIRE(first.connection);
    REQUIRE(second.connection);
    CHECK(first.connection->id + second.connection->id == 1 + 2);
}

TEST_CASE_FIXTURE(Fixture, "a connection counts as closed when it is destroyed")
{
    hand_off(3);
    CHECK(accepted() == 0);
    {
        const auto connection = accept();
        CHECK(accepted() == 1);
        CHECK(closed() == 0);
        CHECK(acceptor->open_connections() == 1);
    }
    CHECK(closed() == 1);
    CHECK(acceptor->open_connections() == 0);
    CHECK(sees_end(clients[0].get()));
}

TEST_CASE_FIXTURE(Fixture, "it counts as closed when what its socket was moved into is destroyed")
{
    using Stream = boost::beast::basic_stream<asio::generic::stream_protocol>;
    hand_off(1);
    std::optional<Stream> stream;
    {
        auto connection = accept();
        stream.emplace(std::move(connection.socket));
    }
    CHECK(closed() == 0);
    write_text(clients[0].get(), "hello");
    std::string text(5, ' ');
    CHECK(asio::read(*stream, asio::buffer(text)) == 5);

    SUBCASE("") {}
    SUBCASE("after it was moved on")
    {
        Stream next{std::move(*stream)};
        stream.reset();
        CHECK(closed() == 0);
        stream.emplace(std::move(next));
    }
    SUBCASE("after it was closed")
    {
        stream->close();
        CHECK(closed() == 0);
    }
    stream.reset();
    CHECK(closed() == 1);
}

TEST_CASE_FIXTURE(Fixture, "it counts as open while its socket is closed but not destroyed")
{
    hand_off(1);
    {
        auto connection = accept();
        connection.socket.close();
        CHECK(sees_end(clients[0].get()));
        CHECK(closed() == 0);
    }
    CHECK(closed() == 1);
}

TEST_CASE_FIXTURE(Fixture, "it counts as closed when another socket is moved over it")
{
    hand_off(2);
    auto first = accept();
    auto second = accept();
    first.socket = std::move(second.socket);
    CHECK(closed() == 1);
    CHECK(sees_end(clients[0].get()));
}

TEST_CASE("a connection that there is no memory for counts as closed")
{
    const NoFdLeak no_leak;
    asio::io_context io;
    FakeMaster master;
    const auto inlet = usher::worker::detail::Inlet::open(io, {});
    auto pair = make_connection();
    std::vector<std::pair<sys::UniqueFd, wire::HandoffRecord>> batch;
    batch.emplace_back(std::move(pair.server), wire::HandoffRecord{.id = 1});
    master.hand_off(std::move(batch));
    Connection connection{io.get_executor()};
    is_memory_short = true;
    CHECK_THROWS_AS(std::ignore = inlet->take(connection), std::bad_alloc);
    is_memory_short = false;
    CHECK(master.page().accepted.load() == 1);
    CHECK(master.page().closed.load() == 1);
    CHECK(sees_end(pair.client.get()));
    inlet->close();
    CHECK(run_to_end(io));
}

TEST_CASE_FIXTURE(Fixture, "what was never taken counts neither as accepted nor as closed")
{
    hand_off(3);
    const auto connection = accept();
    acceptor->close();
    CHECK(accepted() == 1);
    CHECK(closed() == 0);
    CHECK(sees_end(clients[1].get()));
    CHECK(sees_end(clients[2].get()));
    CHECK_FALSE(is_readable(clients[0].get()));
}

TEST_CASE_FIXTURE(Fixture, "a closed acceptor accepts no more")
{
    auto& waiting = start_accept();
    acceptor->close();
    acceptor->close();
    CHECK(finish(waiting).error == asio::error::operation_aborted);
}

TEST_CASE_FIXTURE(Fixture, "the application's load is published")
{
    acceptor->set_load(42);
    CHECK(master.page().load == 42);
}

TEST_CASE_FIXTURE(Fixture, "the heartbeat is stamped at once and then from the loop")
{
    const std::uint64_t first = master.page().heartbeat;
    CHECK(first > 0);
    CHECK(first <= monotonic_nanoseconds());
    CHECK(run_until(io, [&] { return master.page().heartbeat > first; }));
}

TEST_CASE_FIXTURE(Fixture, "run() returns by itself after the end of file and the last connection")
{
    hand_off(2);
    std::size_t served = 0;
    const auto serve = [](Connection connection, std::size_t& count) -> asio::awaitable<void> {
        char byte = 0;
        co_await connection.socket.async_read_some(asio::buffer(&byte, 1),
                                                   asio::as_tuple(asio::use_awaitable));
        ++count;
    };
    const auto accept_all = [&]() -> asio::awaitable<void> {
        for (;;) {
            auto [error, connection] =
                co_await acceptor->async_accept(asio::as_tuple(asio::use_awaitable));
            if (error)
                co_return;
            asio::co_spawn(io, serve(std::move(connection), served), asio::detached);
        }
    };
    asio::co_spawn(io, accept_all(), asio::detached);
    REQUIRE(run_until(io, [&] { return accepted() == 2; }));

    master.shut_down();
    clients[0].reset();
    REQUIRE(run_until(io, [&] { return served == 1 && acceptor->is_draining(); }));
    run_ready(io);
    CHECK_FALSE(io.stopped()); // the other client is still there

    clients[1].reset();
    CHECK(run_to_end(io));
    CHECK(served == 2);
    CHECK(closed() == 2);
}

TEST_CASE_FIXTURE(Fixture, "an acceptor that is destroyed closes what it has buffered")
{
    hand_off(3);
    const auto connection = accept();
    auto& waiting = start_accept(); // for the second, which is buffered
    acceptor.reset();
    CHECK(finish(waiting).error == asio::error::operation_aborted);
    CHECK(sees_end(clients[1].get()));
    CHECK(sees_end(clients[2].get()));
}

TEST_CASE("a loop that is destroyed under its coroutines leaks no connection")
{
    const NoFdLeak guard;
    FakeMaster master;
    std::vector<sys::UniqueFd> clients;
    {
        asio::io_context io;
        std::vector<std::pair<sys::UniqueFd, wire::HandoffRecord>> batch;
        for (int i = 0; i < 3; ++i) {
            auto pair = make_connection();
            clients.push_back(std::move(pair.client));
            batch.emplace_back(std::move(pair.server), wire::HandoffRecord{});
        }
        const auto hold_one = [](asio::io_context& context) -> asio::awaitable<void> {
            Acceptor acceptor{context};
            auto connection = co_await acceptor.async_accept(asio::use_awaitable);
            char byte = 0;
            co_await connection.socket.async_read_some(asio::buffer(&byte, 1), asio::use_awaitable);
        };
        asio::co_spawn(io, hold_one(io), asio::detached);
        run_ready(io);
        master.hand_off(std::move(batch));
        REQUIRE(run_until(io, [&] { return master.page().accepted == 1; }));
    }
    for (const auto& client : clients)
        CHECK(sees_end(client.get()));
    CHECK(master.page().closed.load() == 1);
}

TEST_CASE_FIXTURE(Fixture, "a connection may outlive its acceptor")
{
    hand_off(1);
    auto connection = accept();
    acceptor.reset();
    write_text(clients[0].get(), "hello");
    std::string text(5, ' ');
    CHECK(asio::read(connection.socket, asio::buffer(text)) == 5);
    {
        const auto last = std::move(connection.socket);
    }
    connection = Connection{io.get_executor()};
    CHECK(closed() == 1);
}

TEST_CASE_FIXTURE(Fixture, "an acceptor can be moved")
{
    hand_off(2);
    CHECK(accept().id == 1);
    std::optional<Acceptor> moved{std::move(*acceptor)};
    acceptor.reset(); // leaves alone what it no longer has
    acceptor.emplace(std::move(*moved));
    moved.reset();
    CHECK(accept().id == 2);
}

TEST_CASE_FIXTURE(FewDescriptors, "without room for a packet its connections wait and none is lost")
{
    hand_off(3);
    auto& waiting = start_accept();
    {
        const auto fillers = use_up_descriptors(2);
        io.run_for(120ms); // it tries again every 50 ms
        CHECK_FALSE(waiting.done);
        CHECK(are_clients_alive());
        CHECK(master.channel().figures().queued == 3);
    }
    REQUIRE_FALSE(finish(waiting).error);
    CHECK(waiting.connection->id == 1);
    CHECK(accept().id == 2);
    CHECK(accept().id == 3);
}

TEST_CASE_FIXTURE(FewDescriptors, "an accept that waits for room can be cancelled")
{
    hand_off(1);
    asio::cancellation_signal signal;
    auto& waiting = start_accept(signal.slot());
    {
        const auto fillers = use_up_descriptors(0);
        io.run_for(20ms);
        CHECK_FALSE(waiting.done);
        signal.emit(asio::cancellation_type::total);
        CHECK(finish(waiting).error == asio::error::operation_aborted);
    }
    CHECK(accept().id == 1);
}

TEST_CASE_FIXTURE(SomeDescriptors, "they wait also if the application uses up the room by itself")
{
    hand_off(1);
    const auto first = accept();
    REQUIRE(first.id == 1);

    // Not at one go: the library looks again when it is given one of the last numbers.
    auto some = use_up_descriptors(100);
    hand_off(1);
    const auto second = accept();
    REQUIRE(second.id == 2);

    hand_off(3);
    auto& waiting = start_accept();
    {
        const auto fillers = use_up_descriptors(2);
        io.restart();
        io.run_for(120ms);
        CHECK_FALSE(waiting.done);
        CHECK(are_clients_alive());
    }
    some.clear();
    REQUIRE_FALSE(finish(waiting).error);
    CHECK(waiting.connection->id == 3);
    CHECK(accept().id == 4);
    CHECK(accept().id == 5);
}

TEST_CASE_FIXTURE(Fixture, "it works with every kind of completion token")
{
    hand_off(4);
    SUBCASE("a callback")
    {
        bool done = false;
        acceptor->async_accept([&done](boost::system::error_code error, Connection connection) {
            done = !error && connection.id == 1;
        });
        CHECK(run_until(io, [&done] { return done; }));
    }
    SUBCASE("use_awaitable")
    {
        std::uint64_t id = 0;
        asio::co_spawn(
            io,
            [](Acceptor& from, std::uint64_t& result) -> asio::awaitable<void> {
                const auto connection = co_await from.async_accept(asio::use_awaitable);
                result = connection.id;
            }(*acceptor, id),
            asio::detached);
        CHECK(run_until(io, [&id] { return id != 0; }));
        CHECK(id == 1);
    }
    SUBCASE("use_future")
    {
        std::future<Connection> future = acceptor->async_accept(asio::use_future);
        REQUIRE(
            run_until(io, [&future] { return future.wait_for(0s) == std::future_status::ready; }));
        CHECK(future.get().id == 1);
    }
    SUBCASE("deferred")
    {
        auto operation = acceptor->async_accept(asio::deferred);
        std::uint64_t id = 0;
        std::move(operation)(
            [&id](boost::system::error_code, Connection connection) { id = connection.id; });
        CHECK(run_until(io, [&id] { return id != 0; }));
    }
}

TEST_SUITE_END();

} // namespace usher::acceptor_test
