// SPDX-License-Identifier: MIT
#include "common/sys/socket/accept.hpp"

#include "tests/support/sockets.hpp"
#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>

namespace usher::backlog_test {

using namespace usher::test;

TEST_SUITE_BEGIN("backlog");

TEST_CASE("of a TCP socket the kernel tells how many wait")
{
    const auto listener = listen_on(loopback(0));
    CHECK(sys::waiting_in_backlog(listener.fd.get()) == 0U);
    const auto first = connect_to(listener.address);
    const auto second = connect_to(listener.address);
    CHECK(sys::waiting_in_backlog(listener.fd.get()) == 2U);
}

TEST_CASE("of a Unix socket it does not")
{
    const TempDir folder;
    const auto path = sys::SocketAddress::unix_path((folder.path() / "s").string());
    CHECK_FALSE(sys::waiting_in_backlog(listen_on(path).fd.get()));
}

TEST_SUITE_END();

} // namespace usher::backlog_test
