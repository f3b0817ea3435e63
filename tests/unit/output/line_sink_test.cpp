// SPDX-License-Identifier: MIT
#include "balancer/output/line_sink.hpp"

#include "common/async/shared_descriptor.hpp"
#include "common/async/spawn.hpp"
#include "common/sys/fd/pipe.hpp"
#include "tests/support/eventually.hpp"

#include <boost/asio/io_context.hpp>
#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <tuple>

#include <unistd.h>

namespace usher::line_sink_test {

using namespace usher::test;
using OnFull = LineSink::OnFull;

namespace {

struct Fixture {
    boost::asio::io_context io{1};
    sys::Pipe pipe = sys::make_pipe_to_read();
    EventBus events;
    LineWriter writer{std::make_shared<SharedDescriptor>(pipe.writer.get())};
    std::shared_ptr<LineSink> sink =
        std::make_shared<LineSink>(io.get_executor(), writer, "somewhere", events);
    std::string read_so_far;

    ~Fixture() { pipe.reader.reset(); } // so that the writer is stuck no longer

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

TEST_SUITE_BEGIN("line_sink");

TEST_CASE_FIXTURE(Fixture, "a full pipe stops nobody; whoever waits hears when there is room again")
{
    const std::string line = std::string(99, 'x') + "\n";
    std::size_t size = 0;
    writer.observe(sink.get());
    while (sink->has_room(OnFull::block)) {
        sink->write(line, OnFull::block);
        size += line.size();
    }
    CHECK(size > LineSink::limit);

    bool woken = false;
    spawn(io, [&]() -> boost::asio::awaitable<void> {
        co_await sink->room().wait();
        woken = true;
    });
    CHECK(eventually([&] {
        std::ignore = read();
        io.poll();
        return woken;
    }));
    CHECK(sink->has_room(OnFull::block));
    CHECK(sink->lost_lines() == 0);
}

TEST_CASE_FIXTURE(Fixture, "what finds no room is counted and told, at most every 10 s")
{
    const std::string line = std::string(99, 'x') + "\n";
    const std::size_t lines = 2 * LineSink::limit / line.size();
    for (std::size_t i = 0; i < lines; ++i) {
        CHECK(sink->has_room(OnFull::drop));
        sink->write(line, OnFull::drop);
    }
    const auto lost = sink->lost_lines();
    CHECK(lost > lines / 4);
    CHECK(lost < lines);
    CHECK(events.count(EventKind::output_lost) == 1);
    CHECK(events.recent().back().message ==
          "output to somewhere: 1 line lost, 1 in all: it takes them too slowly");

    // Those that wait have room for what the dead leave behind.
    while (sink->has_room(OnFull::block))
        sink->write(line, OnFull::block);
    sink->write(line, OnFull::block);
    CHECK(sink->lost_lines() == lost);

    sink->close();
    CHECK(events.count(EventKind::output_lost) == 2);
}

TEST_SUITE_END();

} // namespace usher::line_sink_test
