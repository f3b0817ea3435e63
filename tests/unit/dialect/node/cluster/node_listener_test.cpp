// SPDX-License-Identifier: MIT
#include "balancer/dialect/node/cluster/node_listener.hpp"

#include "tests/support/sockets.hpp"

#include <boost/asio/io_context.hpp>
#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace usher::node_listener_test {

using namespace usher::test;
using namespace std::chrono_literals;

namespace {

/// A worker that takes as many connections as it may, and says nothing.
class Carrier final : public NodeListener::Carrier {
public:
    Carrier(std::uint64_t id, int places) : id_{id}, places_{places} {}

    [[nodiscard]] std::uint64_t id() const noexcept override { return id_; }

    [[nodiscard]] bool carry(const std::shared_ptr<NodeListener>&, std::string_view,
                             NodeListener::Connection connection, int) override
    {
        ++tries;
        if (places_ == 0)
            return false;
        --places_;
        ++taken;
        last = connection;
        return true;
    }

    void give_place() { ++places_; }

    int tries = 0;
    int taken = 0;
    NodeListener::Connection last = 0; ///< that it has taken

private:
    std::uint64_t id_;
    int places_;
};

struct Fixture : Listener::Observer {
    boost::asio::io_context io;
    TestListener socket = listen_on(loopback(0));
    std::shared_ptr<NodeListener> listener;

    Fixture()
    {
        Listener::Observer& self = *this;
        listener =
            std::make_shared<NodeListener>(io.get_executor(), std::move(socket.fd), "1", 1, self);
    }

    virtual ~Fixture()
    {
        listener->stop();
        listener->drop_waiting();
    }

    template <typename Condition>
    bool run_until(Condition condition)
    {
        const auto end = std::chrono::steady_clock::now() + 10s;
        while (!condition() && std::chrono::steady_clock::now() < end) {
            io.restart(); // it may have had nothing to do, until a worker was there
            io.run_one_until(end);
        }
        return condition();
    }

    void on_accept_failure(const Listener&, std::error_code,
                           std::chrono::milliseconds) noexcept override
    {
    }
    void on_closed(const Listener&) override { ++closed; }

    int closed = 0;
};

} // namespace

TEST_SUITE_BEGIN("node_listener");

TEST_CASE_FIXTURE(Fixture, "a connection that cannot be sent to a worker goes to another at once")
{
    Carrier full{1, 0};
    Carrier other{2, 1};
    listener->add(full);
    listener->add(other);
    const auto client = connect_to(socket.address);
    CHECK(run_until([&] { return other.taken == 1; }));
    CHECK(full.tries == 1);
    CHECK(listener->lose(full) == 0); // it was never its own
}

TEST_CASE_FIXTURE(Fixture, "a connection that cannot be sent to the only worker is tried again")
{
    Carrier worker{1, 0};
    listener->add(worker);
    const auto client = connect_to(socket.address);
    CHECK(run_until([&] { return worker.tries == 2; }));
    worker.give_place();
    CHECK(run_until([&] { return worker.taken == 1; }));
}

TEST_CASE_FIXTURE(Fixture, "at the end what could not be sent is counted")
{
    Carrier worker{1, 0};
    listener->add(worker);
    const auto client = connect_to(socket.address);
    listener->stop();
    CHECK(worker.tries >= 1);
    CHECK(listener->drop_waiting() == 1);
}

TEST_CASE_FIXTURE(Fixture,
                  "a stop deals what waits, in turns, and not what a flood brings meanwhile")
{
    std::vector<sys::UniqueFd> clients;
    const auto connect = [&](int count) {
        for (int i = 0; i < count; ++i)
            clients.push_back(connect_to(socket.address));
    };
    connect(100);
    Carrier worker{1, 1'000};
    listener->add(worker);
    listener->stop();
    CHECK(worker.taken < 100); // others have had no turn yet
    CHECK(closed == 0);

    connect(20);
    CHECK(run_until([&] { return closed == 1; }));
    CHECK(worker.taken == 100);
    CHECK_THROWS_AS(connect(1), std::system_error);
}

TEST_CASE_FIXTURE(Fixture, "another socket takes its place, and who waits at it is dealt")
{
    std::vector<sys::UniqueFd> clients;
    const auto connect = [&](const sys::SocketAddress& address) {
        for (int i = 0; i < 100; ++i)
            clients.push_back(connect_to(address));
    };
    connect(socket.address);
    auto next = listen_on(loopback(0));
    connect(next.address);
    listener->replace(std::move(next.fd)); // while there is no worker
    CHECK(run_until([&] { return closed == 1; }));
    CHECK_THROWS_AS(std::ignore = connect_to(socket.address), std::system_error);

    Carrier worker{1, 1'000};
    listener->add(worker);
    CHECK(worker.taken == 1);
    for (int taken = 2; taken <= 200; ++taken) {
        listener->on_answer(worker.id(), worker.last, NodeListener::Answer::accepted);
        if (!run_until([&] { return worker.taken == taken; }))
            break;
    }
    CHECK(worker.taken == 200);
    std::ignore = listener->lose(worker);
}

TEST_CASE_FIXTURE(Fixture, "a stop that deals what waits can be ended")
{
    std::vector<sys::UniqueFd> clients;
    for (int i = 0; i < 100; ++i)
        clients.push_back(connect_to(socket.address));
    Carrier worker{1, 1'000};
    listener->add(worker);
    listener->stop();
    listener->close();
    CHECK(closed == 1);
    io.run();
    CHECK(worker.taken < 100);
    CHECK(closed == 1);
}

TEST_SUITE_END();

} // namespace usher::node_listener_test
