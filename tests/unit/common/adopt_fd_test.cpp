// SPDX-License-Identifier: MIT
#include "common/async/adopt_fd.hpp"

#include "tests/support/fds.hpp"
#include "tests/support/no_fd_leak.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/system/system_error.hpp>

#include <doctest/doctest.h>

#include <tuple>
#include <utility>

#include <sys/socket.h>

namespace usher::adopt_fd_test {

namespace asio = boost::asio;

TEST_CASE_FIXTURE(test::NoFdLeak, "an adopted descriptor keeps its number and is closed by Asio")
{
    asio::io_context io;
    auto pipe = test::make_pipe();
    const int number = pipe.reader.get();
    {
        auto reader =
            adopt_fd<asio::posix::stream_descriptor>(io.get_executor(), std::move(pipe.reader));
        CHECK(reader.native_handle() == number);
    }
    CHECK_FALSE(test::is_open(number));
}

TEST_CASE_FIXTURE(test::NoFdLeak, "a socket is told its protocol")
{
    asio::io_context io;
    sys::UniqueFd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    const auto socket = adopt_fd<asio::local::stream_protocol::socket>(
        io, std::move(fd), asio::local::stream_protocol{});
    CHECK(socket.is_open());
}

TEST_CASE_FIXTURE(test::NoFdLeak, "a descriptor that Asio cannot watch is closed")
{
    asio::io_context io;
    auto pipe = test::make_pipe();
    const int number = pipe.reader.get();

    // epoll refuses the second registration of one number for one file.
    auto first = adopt_fd<asio::posix::stream_descriptor>(io, std::move(pipe.reader));
    CHECK_THROWS_AS(std::ignore =
                        adopt_fd<asio::posix::stream_descriptor>(io, sys::UniqueFd{number}),
                    std::system_error);
    CHECK_FALSE(test::is_open(number));
    first.release();
}

} // namespace usher::adopt_fd_test
