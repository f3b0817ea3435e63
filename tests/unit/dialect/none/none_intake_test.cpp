// SPDX-License-Identifier: MIT
#include "balancer/dialect/none/none_intake.hpp"

#include "balancer/dialect/make_intake.hpp"
#include "tests/support/run_until.hpp"

#include <boost/asio/io_context.hpp>
#include <doctest/doctest.h>

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace usher::none_intake_test {

using namespace usher::test;
using namespace std::chrono_literals;

namespace {

struct Ear final : WorkerLink::Observer {
    void on_online() override { ++online; }
    void on_ready() override { ++ready; }
    void on_leaving(std::string, bool) override {}
    void on_idle() override {}
    void on_fault(std::string) override {}
    void on_note(std::string) override {}
    void on_warning(std::string) override {}
    void on_misfit() override {}
    void on_message(std::string_view) override {}

    int online = 0;
    int ready = 0;
};

struct Fixture {
    boost::asio::io_context io;
    EventBus events;
    ResolvedPool config;
    Ear ear;

    Fixture()
    {
        config.dialect = Dialect::none;
        config.start_delay = 0ms;
    }

    std::shared_ptr<WorkerLink> connect()
    {
        intake = make_intake(io.get_executor(), events, config);
        return intake->connect(std::make_shared<const ResolvedPool>(config), {});
    }

    std::unique_ptr<Intake> intake;
};

} // namespace

TEST_SUITE_BEGIN("none_intake");

TEST_CASE("a reload cannot change from or to a dialect without connections")
{
    for (const auto other : {Dialect::native, Dialect::preload, Dialect::node, Dialect::listen_fds})
        CHECK(intake_kind(other) != intake_kind(Dialect::none));
}

TEST_CASE_FIXTURE(Fixture, "nothing listens, nothing is counted, and the end needs no time")
{
    const auto link = connect();
    SocketSource sockets;
    intake->prepare(config, sockets).commit();
    intake->start();
    CHECK(intake->addresses().empty());
    CHECK_FALSE(intake->counters());
    CHECK_FALSE(link->figures());
    CHECK_FALSE(link->has_connections());
    bool is_closed = false;
    intake->close([&is_closed] { is_closed = true; });
    CHECK(is_closed);
    intake->close(nullptr);
}

TEST_CASE_FIXTURE(Fixture, "a worker gets no descriptor, and a signal when its master dies")
{
    std::map<std::string, std::string> environment;
    const auto equipment = connect()->equip(environment, 3);
    CHECK(environment.empty());
    CHECK(equipment.descriptors.empty());
    CHECK(equipment.outlives_master);
}

TEST_CASE_FIXTURE(Fixture, "a worker is ready when it has lived for start_delay, once")
{
    config.start_delay = 20ms;
    const auto link = connect();
    const auto begin = std::chrono::steady_clock::now();
    link->start(1, ear);
    CHECK(ear.online == 1);
    CHECK(ear.ready == 0);
    CHECK(run_until(io, [&] { return ear.ready > 0; }));
    CHECK(std::chrono::steady_clock::now() - begin >= 20ms);
    CHECK(link->drain(0ms)); // a signal tells it
    link->finish();
    CHECK(run_to_end(io));
    CHECK(ear.ready == 1);
}

TEST_CASE_FIXTURE(Fixture, "a worker that ends before is not ready, also when its time was over")
{
    for (const bool is_due : {false, true}) {
        config.start_delay = is_due ? 0ms : 1h;
        const auto link = connect();
        link->start(1, ear);
        if (is_due)
            io.poll_one(); // the timer may be through, and its handler still to come
        const int before = ear.ready;
        link->finish();
        CHECK(run_to_end(io));
        CHECK(ear.ready == before);
    }
}

TEST_CASE_FIXTURE(Fixture, "with ready: notify, time makes nobody ready")
{
    config.ready = Readiness::notify;
    const auto link = connect();
    link->start(1, ear);
    CHECK(run_to_end(io));
    CHECK(ear.ready == 0);
    link->finish();
}

TEST_SUITE_END();

} // namespace usher::none_intake_test
