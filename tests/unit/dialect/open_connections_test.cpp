// SPDX-License-Identifier: MIT
#include "balancer/dialect/open_connections.hpp"

#include "common/sys/socket/accept.hpp"
#include "tests/support/fds.hpp"
#include "tests/support/sockets.hpp"
#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

namespace usher::open_connections_test {

using namespace usher::test;

namespace {

sys::UniqueFd accept_from(const TestListener& listener)
{
    sys::UniqueFd connection;
    sys::SocketAddress peer;
    wait_readable(listener.fd.get());
    REQUIRE_FALSE(sys::accept_connection(listener.fd.get(), connection, peer));
    return connection;
}

/// Counts what a listener's connections are in this process, as if it were the worker.
struct Fixture {
    TestListener listener = listen_on(loopback(0));
    std::vector<int> given;

    std::size_t count() const
    {
        return OpenConnections{{listener.address}, given}.count(::getpid()).value();
    }
};

} // namespace

TEST_SUITE_BEGIN("open_connections");

TEST_CASE_FIXTURE(Fixture, "connections count until the process closes them")
{
    CHECK(count() == 0);
    const auto client = connect_to(listener.address);
    CHECK(count() == 0); // in the backlog, and nobody's
    auto first = accept_from(listener);
    const auto other_client = connect_to(listener.address);
    const auto second = accept_from(listener);
    CHECK(count() == 2);
    const auto duplicate_of_second = duplicate(second.get());
    CHECK(count() == 2);
    first.reset();
    CHECK(count() == 1);
}

TEST_CASE_FIXTURE(Fixture, "a connection that the client has left is open all the same")
{
    auto client = connect_to(listener.address);
    const auto connection = accept_from(listener);
    client.reset();
    wait_readable(connection.get());
    CHECK(count() == 1);
}

TEST_CASE_FIXTURE(Fixture, "what came in elsewhere does not count, nor what went out")
{
    const auto elsewhere = listen_on(loopback(0));
    const auto client = connect_to(elsewhere.address);
    const auto connection = accept_from(elsewhere);
    CHECK(count() == 0);
}

TEST_CASE_FIXTURE(Fixture, "what the worker was given does not count")
{
    const auto client = connect_to(listener.address);
    const auto connection = accept_from(listener);
    given = {connection.get(), -1};
    CHECK(count() == 0);
}

TEST_CASE_FIXTURE(Fixture, "what is open of too many descriptors or processes is unknown")
{
    const auto client = connect_to(listener.address);
    const auto connection = accept_from(listener);
    const OpenConnections open{{listener.address}, {}};
    const auto count = [&](proc::Walk::Limits limits) {
        return open.count(::getpid(), proc::Walk{limits});
    };
    CHECK(count({.entries = 2}) == std::nullopt);
    CHECK(count({}) == 1U);

    const pid_t child = ::fork();
    if (child == 0) {
        ::pause();
        ::_exit(0);
    }
    CHECK(count({.processes = 1}) == std::nullopt);
    CHECK(count({.processes = 2}) == 1U);
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
}

TEST_CASE_FIXTURE(Fixture, "children count with their parent")
{
    auto client = connect_to(listener.address);
    auto connection = accept_from(listener);
    const auto go = make_connection();
    const pid_t child = ::fork();
    if (child == 0) {
        char byte = 0;
        ::_exit(::read(go.client.get(), &byte, 1) == 1 ? 0 : 1);
    }
    connection.reset();
    CHECK(count() == 1);
    write_text(go.server.get(), "x");
    ::waitpid(child, nullptr, 0);
    CHECK(count() == 0);
}

TEST_CASE("connections of a Unix socket count by its path")
{
    const TempDir folder;
    const auto address = sys::SocketAddress::unix_path((folder.path() / "s").string());
    const auto listener = listen_on(address);
    const OpenConnections open{{address}, {}};
    CHECK(open.count(::getpid()) == 0U);
    const auto client = connect_to(address);
    auto connection = accept_from(listener);
    CHECK(open.count(::getpid()) == 1U);
    connection.reset();
    CHECK(open.count(::getpid()) == 0U);
}

TEST_CASE("of a process that is gone nothing is open")
{
    const pid_t child = ::fork();
    if (child == 0)
        ::_exit(0);
    ::waitpid(child, nullptr, 0);
    CHECK(OpenConnections{{loopback(1)}, {}}.count(child) == 0U);
}

TEST_SUITE_END();

} // namespace usher::open_connections_test
