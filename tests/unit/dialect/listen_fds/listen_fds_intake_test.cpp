// SPDX-License-Identifier: MIT
#include "balancer/dialect/listen_fds/listen_fds_intake.hpp"

#include "balancer/listen/same_address.hpp"
#include "tests/support/allocations.hpp"

#include <boost/asio/io_context.hpp>
#include <doctest/doctest.h>

#include <algorithm>
#include <exception>
#include <map>
#include <memory>
#include <new>
#include <string>
#include <tuple>

namespace usher::listen_fds_intake_test {

using namespace usher::test;

TEST_SUITE_BEGIN("listen_fds_intake");

TEST_CASE("without memory connections go where they went before, and nobody dies of it")
{
    boost::asio::io_context io;
    EventBus events;
    ResolvedPool config;
    config.dialect = Dialect::listen_fds;
    config.listen = {{.address = "127.0.0.1:0"}};
    ListenFdsIntake intake{io.get_executor(), config, events};
    SocketSource sockets;
    intake.prepare(config, sockets).commit();
    const auto pool = std::make_shared<const ResolvedPool>(config);
    const auto one = intake.connect(pool, {});
    const auto two = intake.connect(pool, {});
    one->attach();
    two->attach();

    const auto said = events.recent().size();
    fail_allocations(true);
    one->detach();
    fail_allocations(false);
    CHECK(events.recent().size() == said);
    one->attach();
    one->detach();
    intake.close({});
}

TEST_CASE("what is prepared is taken over as a whole, also without memory")
{
    boost::asio::io_context io;
    EventBus events;
    ResolvedPool config;
    config.dialect = Dialect::listen_fds;
    config.listen = {{.address = "127.0.0.1:0", .name = "one"},
                     {.address = "127.0.0.2:0", .name = "two"}};
    ListenFdsIntake intake{io.get_executor(), config, events};
    SocketSource sockets;
    bool has_thrown = false;
    for (int i = 0; i < 2; ++i) { // the first opens, the second changes
        const auto change = intake.prepare(config, sockets);
        fail_allocations(true);
        try {
            change.commit();
        } catch (const std::exception&) {
            has_thrown = true;
        }
        fail_allocations(false);
        CHECK(std::ranges::equal(intake.addresses(), change.addresses, is_same));
        config.backlog = 7;
    }
    CHECK_FALSE(has_thrown);
    CHECK(intake.socket_names() == "one:two");
    intake.close({});
}

TEST_CASE("a worker that there is no memory for takes no socket away")
{
    boost::asio::io_context io;
    EventBus events;
    ResolvedPool config;
    config.dialect = Dialect::listen_fds;
    config.listen = {{.address = "127.0.0.1:0"}};
    ListenFdsIntake intake{io.get_executor(), config, events};
    SocketSource sockets;
    intake.prepare(config, sockets).commit();
    const auto pool = std::make_shared<const ResolvedPool>(config);
    std::map<std::string, std::string> environment;
    const auto given = intake.connect(pool, {})->equip(environment, 3).descriptors;

    fail_allocations(true);
    CHECK_THROWS_AS(std::ignore = intake.connect(pool, {}), std::bad_alloc);
    fail_allocations(false);
    CHECK(intake.connect(pool, {})->equip(environment, 3).descriptors == given);
    intake.close({});
}

TEST_SUITE_END();

} // namespace usher::listen_fds_intake_test
