// SPDX-License-Identifier: MIT
#include "balancer/output/output_reader.hpp"

#include "tests/support/run_until.hpp"

#include <boost/asio/io_context.hpp>
#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <tuple>

#include <fcntl.h>
#include <unistd.h>

namespace usher::output_reader_test {

using namespace usher::test;

namespace {

class FakeSink final : public OutputSink {
public:
    explicit FakeSink(boost::asio::io_context& io) : room_{io.get_executor()} {}

    [[nodiscard]] bool has_room() override { return open; }
    [[nodiscard]] Condition& room() noexcept override { return room_; }
    void write(std::string_view lines) override { text += lines; }

    bool open = true;
    std::string text;

private:
    Condition room_;
};

struct Fixture {
    boost::asio::io_context io{1};
    std::shared_ptr<FakeSink> sink = std::make_shared<FakeSink>(io);
    std::shared_ptr<OutputReader> reader =
        std::make_shared<OutputReader>(io.get_executor(), sink, "[p/1] ");
    sys::UniqueFd output{::fcntl(reader->worker_output(), F_DUPFD_CLOEXEC, 0)};
    sys::UniqueFd errors{::fcntl(reader->worker_errors(), F_DUPFD_CLOEXEC, 0)};

    static void write(const sys::UniqueFd& fd, std::string_view text)
    {
        REQUIRE(::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    }
};

} // namespace

TEST_SUITE_BEGIN("output_reader");

TEST_CASE_FIXTURE(Fixture, "lines get their prefix, whichever stream they come from")
{
    CHECK((::fcntl(output.get(), F_GETFL) & O_NONBLOCK) == 0);
    reader->start();
    write(output, "a\nb");
    CHECK(run_until(io, [&] { return sink->text == "[p/1] a\n"; }));
    write(errors, "c\n");
    CHECK(run_until(io, [&] { return sink->text == "[p/1] a\n[p/1] c\n"; }));
    reader->finish();
    CHECK(sink->text == "[p/1] a\n[p/1] c\n[p/1] b\n");
    CHECK(run_to_end(io));
}

TEST_CASE_FIXTURE(Fixture, "lines stay as they are, unless they are to be clean")
{
    for (const bool clean : {false, true}) {
        sink->text.clear();
        reader = std::make_shared<OutputReader>(io.get_executor(), sink, "", clean);
        output.reset(::fcntl(reader->worker_output(), F_DUPFD_CLOEXEC, 0));
        reader->start();
        write(output, "a\x1b[1m\rb\n");
        const std::string expected = clean ? "a [1m b\n" : "a\x1b[1m\rb\n";
        CHECK(run_until(io, [&] { return sink->text == expected; }));
        reader->finish();
    }
    CHECK(run_to_end(io));
}

TEST_CASE_FIXTURE(Fixture, "what was written is read at the end, although others hold the pipe")
{
    reader->start();
    std::string all;
    for (int i = 0; i < 3000; ++i) {
        write(output, "x" + std::to_string(i) + "\n");
        all += "[p/1] x" + std::to_string(i) + "\n";
    }
    reader->finish();
    CHECK(sink->text == all);
    CHECK(run_to_end(io)); // output and errors are still open
}

TEST_CASE_FIXTURE(Fixture, "while there is no room nothing is read; the end reads it all the same")
{
    sink->open = false;
    reader->start();
    write(output, "a\n");
    run_ready(io);
    CHECK(sink->text.empty());
    reader->finish();
    CHECK(sink->text == "[p/1] a\n");
    CHECK(run_to_end(io));
}

TEST_CASE_FIXTURE(Fixture, "reading goes on when there is room again")
{
    sink->open = false;
    reader->start();
    write(output, "a\n");
    run_ready(io);
    sink->open = true;
    sink->room().notify_all();
    CHECK(run_until(io, [&] { return sink->text == "[p/1] a\n"; }));
    reader->finish();
    CHECK(run_to_end(io));
}

TEST_CASE_FIXTURE(Fixture, "the last 20 lines of the errors are kept, shortened")
{
    reader->start();
    for (int i = 0; i < 30; ++i)
        write(errors, std::to_string(i) + "\n");
    write(output, "not this\n");
    write(errors, std::string(1000, 'x'));
    reader->finish();
    REQUIRE(reader->last_errors().size() == 20);
    CHECK(reader->last_errors().front() == "11");
    CHECK(reader->last_errors().back() == std::string(512, 'x'));
    CHECK(run_to_end(io));
}

TEST_CASE_FIXTURE(Fixture, "a worker that closes its streams early costs nothing")
{
    reader->start();
    output.reset();
    errors.reset();
    CHECK(run_to_end(io));
    reader->finish();
}

TEST_SUITE_END();

} // namespace usher::output_reader_test
