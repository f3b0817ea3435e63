// SPDX-License-Identifier: MIT
#include "common/sys/socket/accept.hpp"

#include "tests/support/fds.hpp"
#include "tests/support/no_fd_leak.hpp"
#include "tests/support/sockets.hpp"
#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>

#include <cerrno>
#include <ios>
#include <system_error>

namespace usher::accept_test {

using namespace usher::sys;
using namespace usher::test;

namespace {

std::error_code system_error(int number)
{
    return {number, std::system_category()};
}

struct Fixture : NoFdLeak {
    TestListener listener = listen_on(loopback(0));
    UniqueFd connection;
    SocketAddress peer;

    std::error_code accept() { return accept_connection(listener.fd.get(), connection, peer); }
};

} // namespace

TEST_SUITE_BEGIN("accept");

TEST_CASE("what a dead connection left in the queue is noise")
{
    for (const int number : {ECONNABORTED, EPROTO, ENETDOWN, ENOPROTOOPT, EHOSTDOWN, ENONET,
                             EHOSTUNREACH, EOPNOTSUPP, ENETUNREACH, EPERM})
        CHECK_MESSAGE(is_accept_noise(system_error(number)), number);
}

TEST_CASE("an empty queue, a broken listener and success are no noise")
{
    for (const int number : {0, EAGAIN, EBADF, EINVAL, EMFILE, ENFILE, ENOBUFS, ENOMEM})
        CHECK_FALSE_MESSAGE(is_accept_noise(system_error(number)), number);
    CHECK_FALSE(is_accept_noise(std::make_error_code(std::io_errc::stream))); // value 1, as EPERM
}

TEST_CASE("missing descriptors and memory are out of resources, and nothing else is")
{
    for (const int number : {EMFILE, ENFILE, ENOBUFS, ENOMEM})
        CHECK_MESSAGE(is_out_of_resources(system_error(number)), number);
    for (const int number : {0, EAGAIN, ECONNABORTED, EBADF})
        CHECK_FALSE_MESSAGE(is_out_of_resources(system_error(number)), number);
}

TEST_CASE_FIXTURE(Fixture,
                  "an accepted connection is non-blocking and close-on-exec, its peer known")
{
    const UniqueFd client = connect_to(listener.address);

    REQUIRE_FALSE(accept());
    CHECK(is_non_blocking(connection.get()));
    CHECK(is_close_on_exec(connection.get()));
    CHECK(peer.to_string() == address_of(client.get()).to_string());

    write_text(client.get(), "hello");
    CHECK(read_text(connection.get()) == "hello");
}

TEST_CASE_FIXTURE(Fixture, "an empty backlog would block and gives no connection")
{
    CHECK(accept() == std::errc::operation_would_block);
    CHECK_FALSE(connection);
}

TEST_CASE_FIXTURE(Fixture, "without a free descriptor the connection stays in the backlog")
{
    const UniqueFd client = connect_to(listener.address);
    {
        const ScopedFdLimit limit{0};
        CHECK(is_out_of_resources(accept()));
        CHECK_FALSE(connection);
    }
    CHECK_FALSE(accept());
}

TEST_CASE_FIXTURE(NoFdLeak, "the client of a Unix listener is an unnamed peer")
{
    const TempDir folder;
    const auto listener = listen_on(SocketAddress::unix_path((folder.path() / "s").string()));
    const UniqueFd client = connect_to(listener.address);

    UniqueFd connection;
    SocketAddress peer = loopback(1);
    REQUIRE_FALSE(accept_connection(listener.fd.get(), connection, peer));
    CHECK(peer.to_string() == "unix:");
}

TEST_SUITE_END();

} // namespace usher::accept_test
