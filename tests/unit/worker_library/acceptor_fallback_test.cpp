// SPDX-License-Identifier: MIT
//
// The worker library without a master.
#include "usher/worker/acceptor.hpp"

#include "tests/support/fds.hpp"
#include "tests/support/no_fd_leak.hpp"
#include "tests/support/run_until.hpp"
#include "tests/support/sockets.hpp"
#include "tests/support/temp_dir.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/read.hpp>
#include <doctest/doctest.h>

#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

namespace usher::acceptor_fallback_test {

namespace asio = boost::asio;

using namespace usher::test;
using namespace std::chrono_literals;
using usher::worker::Acceptor;
using usher::worker::Connection;
using usher::worker::Options;

namespace {

sys::SocketAddress address_from(const worker::Endpoint& endpoint)
{
    return {endpoint.data(), static_cast<socklen_t>(endpoint.size())};
}

struct Fixture : NoFdLeak {
    asio::io_context io;
    std::optional<Acceptor> acceptor;

    Fixture() = default;
    Fixture(const Fixture&) = delete;
    Fixture& operator=(const Fixture&) = delete;
    ~Fixture()
    {
        acceptor.reset();
        CHECK(run_to_end(io));
    }

    void listen(const Options& options) { acceptor.emplace(io, options); }

    sys::SocketAddress address() const { return address_from(acceptor->listening_on()); }

    Connection accept()
    {
        std::optional<Connection> result;
        acceptor->async_accept([&result](boost::system::error_code error, Connection connection) {
            REQUIRE_FALSE(error);
            result.emplace(std::move(connection));
        });
        REQUIRE(run_until(io, [&result] { return result.has_value(); }));
        return std::move(*result);
    }
};

} // namespace

TEST_SUITE_BEGIN("acceptor_fallback");

TEST_CASE_FIXTURE(Fixture, "without a master it listens by itself")
{
    listen({.fallback = "127.0.0.1:0"});
    CHECK(acceptor->identity() == nullptr);
    CHECK_FALSE(acceptor->is_draining());
    CHECK(address().port() != 0);
    acceptor->ready(); // nobody is told

    const auto client = connect_to(address());
    auto connection = accept();
    CHECK(connection.id == 1);
    CHECK(connection.listener == 0);
    CHECK(address_from(connection.peer).to_string() == address_of(client.get()).to_string());
    CHECK(address_from(connection.local()).to_string() == address().to_string());
    CHECK(connection.accepted_at <= std::chrono::steady_clock::now());
    CHECK(connection.accepted_at > std::chrono::steady_clock::now() - 10s);
    CHECK(is_non_blocking(connection.socket.native_handle()));
    CHECK(is_close_on_exec(connection.socket.native_handle()));

    write_text(client.get(), "hello");
    std::string text(5, ' ');
    CHECK(asio::read(connection.socket, asio::buffer(text)) == 5);
}

TEST_CASE_FIXTURE(Fixture, "connections are numbered and counted")
{
    listen({.fallback = "127.0.0.1:0"});
    const auto first_client = connect_to(address());
    const auto second_client = connect_to(address());
    {
        const auto first = accept();
        const auto second = accept();
        CHECK(first.id == 1);
        CHECK(second.id == 2);
        CHECK(acceptor->open_connections() == 2);
    }
    CHECK(acceptor->open_connections() == 0);
}

TEST_CASE_FIXTURE(Fixture, "it listens on a Unix socket as well")
{
    const TempDir folder;
    const auto path = (folder.path() / "s").string();
    listen({.fallback = "unix:" + path});
    CHECK(address().to_string() == "unix:" + path);

    const auto client = connect_to(address());
    const auto connection = accept();
    CHECK(address_from(connection.peer).to_string() == "unix:");
    write_text(client.get(), "hello");
}

TEST_CASE_FIXTURE(Fixture, "several listen on one port with reuse_port, and only with it")
{
    listen({.fallback = "127.0.0.1:0", .reuse_port = true});
    const auto same = address().to_string();
    {
        const Acceptor second{io, {.fallback = same, .reuse_port = true}};
        CHECK(address_from(second.listening_on()).to_string() == same);
    }
    try {
        const Acceptor refused{io, {.fallback = same}};
        FAIL("was opened");
    } catch (const std::system_error& error) {
        CHECK(error.code() == std::errc::address_in_use);
        CHECK(std::string{error.what()}.starts_with(same + ": "));
    }
}

TEST_CASE_FIXTURE(Fixture, "an address that is none is refused")
{
    CHECK_THROWS_WITH_AS(listen({.fallback = "localhost:8000"}),
                         "\"localhost:8000\" is no address to listen on: write 8000, "
                         "127.0.0.1:8000, [::1]:8000 or unix:/path",
                         std::runtime_error);
}

TEST_CASE_FIXTURE(Fixture, "without descriptors a connection waits in the backlog")
{
    listen({.fallback = "127.0.0.1:0"});
    const auto client = connect_to(address());
    std::optional<Connection> result;
    acceptor->async_accept([&result](boost::system::error_code error, Connection connection) {
        CHECK_FALSE(error);
        result.emplace(std::move(connection));
    });
    {
        const ScopedFdLimit limit{0};
        io.run_for(120ms); // it tries again every 50 ms
        CHECK_FALSE(result);
    }
    CHECK(run_until(io, [&result] { return result.has_value(); }));
}

TEST_CASE_FIXTURE(Fixture, "a closed acceptor accepts no more and refuses clients")
{
    listen({.fallback = "127.0.0.1:0"});
    const auto where = address();
    boost::system::error_code outcome;
    acceptor->async_accept(
        [&outcome](boost::system::error_code error, const Connection&) { outcome = error; });
    acceptor->close();
    CHECK(run_to_end(io));
    CHECK(outcome == asio::error::operation_aborted);
    CHECK_THROWS_AS(connect_to(where), std::system_error);
}

TEST_SUITE_END();

} // namespace usher::acceptor_fallback_test
