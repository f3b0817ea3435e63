// SPDX-License-Identifier: MIT
#include "balancer/dialect/dispatch_intake.hpp"

#include "balancer/listen/same_address.hpp"
#include "common/sys/fd/unique_fd.hpp"
#include "tests/support/allocations.hpp"
#include "tests/support/no_fd_leak.hpp"
#include "tests/support/run_until.hpp"

#include <boost/asio/io_context.hpp>
#include <doctest/doctest.h>

#include <algorithm>
#include <exception>

#include <sys/socket.h>

namespace usher::dispatch_intake_test {

using namespace usher::test;

namespace {

bool can_connect(const sys::SocketAddress& address)
{
    const sys::UniqueFd client{::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0)};
    return ::connect(client.get(), address.data(), address.size()) == 0;
}

} // namespace

TEST_SUITE_BEGIN("dispatch_intake");

TEST_CASE_FIXTURE(NoFdLeak, "what is prepared is taken over as a whole, also without memory")
{
    boost::asio::io_context io;
    EventBus events;
    DispatchIntake intake{io.get_executor(), "web", events};
    SocketSource sockets;
    ResolvedPool config;
    config.listen = {{.address = "127.0.0.1:0"}, {.address = "127.0.0.2:0"}};
    intake.prepare(config, sockets).commit();
    intake.start();
    const auto before = intake.addresses();

    config.listen = {
        {.address = "127.0.0.3:0"}, {.address = "127.0.0.4:0"}, {.address = "127.0.0.1:0"}};
    const auto change = intake.prepare(config, sockets);
    bool has_thrown = false;
    fail_allocations(true);
    try {
        change.commit();
    } catch (const std::exception&) {
        has_thrown = true;
    }
    fail_allocations(false);
    CHECK_FALSE(has_thrown);

    const auto after = intake.addresses();
    REQUIRE(after.size() == 3);
    CHECK(std::ranges::equal(after, change.addresses, is_same));
    CHECK(is_same(after.back(), before.front()));
    CHECK(std::ranges::all_of(after, can_connect));
    CHECK_FALSE(can_connect(before.back()));
    bool is_closed = false;
    intake.close([&] { is_closed = true; });
    CHECK(run_until(io, [&] { return is_closed; }));
}

TEST_SUITE_END();

} // namespace usher::dispatch_intake_test
