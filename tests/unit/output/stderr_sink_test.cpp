// SPDX-License-Identifier: MIT
#include "balancer/output/stderr_sink.hpp"

#include "common/sys/fd/pipe.hpp"
#include "tests/support/run_until.hpp"

#include <boost/asio/io_context.hpp>
#include <doctest/doctest.h>

#include <csignal>
#include <string>

#include <fcntl.h>
#include <unistd.h>

using namespace usher;
using namespace usher::test;

namespace {

struct Fixture {
    boost::asio::io_context io{1};
    sys::Pipe pipe = sys::make_pipe_to_read();
    StderrSink sink{io.get_executor(), pipe.writer.get()};
    std::string read_so_far;

    bool read()
    {
        std::string text(1 << 16, '\0');
        const auto size = ::read(pipe.reader.get(), text.data(), text.size());
        if (size > 0)
            read_so_far.append(text, 0, static_cast<std::size_t>(size));
        return size > 0;
    }
};

} // namespace

TEST_SUITE_BEGIN("stderr_sink");

TEST_CASE_FIXTURE(Fixture, "lines are written at once")
{
    sink.write("one\ntwo\n");
    CHECK(read());
    CHECK(read_so_far == "one\ntwo\n");
}

TEST_CASE_FIXTURE(Fixture, "a full pipe stops nobody; there is room again when it is read")
{
    const std::string line = std::string(99, 'x') + "\n";
    std::string all;
    while (sink.has_room()) {
        sink.write(line);
        all += line;
    }
    CHECK(all.size() > sink_limit);
    CHECK((::fcntl(pipe.writer.get(), F_GETFL) & O_NONBLOCK) == 0);

    CHECK(run_until(io, [&] {
        std::ignore = read();
        return read_so_far.size() == all.size();
    }));
    CHECK(sink.has_room());
    CHECK(read_so_far == all);
}

TEST_CASE_FIXTURE(Fixture, "nobody on the other side is no error")
{
    ::signal(SIGPIPE, SIG_IGN);
    pipe.reader.reset();
    sink.write("lost\n");
    sink.close();
    CHECK(sink.has_room());
}

TEST_SUITE_END();
