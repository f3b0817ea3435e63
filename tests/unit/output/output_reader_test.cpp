// SPDX-License-Identifier: MIT
#include "balancer/output/output_reader.hpp"

#include "tests/support/eventually.hpp"
#include "tests/support/run_until.hpp"

#include <boost/asio/io_context.hpp>
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <system_error>
#include <tuple>

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace usher::output_reader_test {

using namespace usher::test;

namespace {

/// Keeps the lines, or takes none.
class Collector final : public LineWriter::Target {
public:
    [[nodiscard]] Result write(std::string_view lines) override
    {
        const std::lock_guard lock{mutex_};
        if (!open_)
            return {.error = std::make_error_code(std::errc::operation_would_block)};
        text_ += lines;
        return {.taken = lines.size()};
    }

    void wait() override { open_.wait(false); }

    /// What the worker has written.
    [[nodiscard]] std::string text()
    {
        const std::lock_guard lock{mutex_};
        const auto begin = text_.find("[p/1]");
        return begin == std::string::npos ? "" : text_.substr(begin);
    }

    void set_open(bool open)
    {
        open_ = open;
        open_.notify_all();
    }

private:
    std::atomic<bool> open_ = true;
    std::mutex mutex_;
    std::string text_;
};

LineFormat format(bool clean = false)
{
    return {OutputConfig{}, "p", 1, {}, clean};
}

struct Fixture {
    static constexpr auto on_full = LineSink::OnFull::block;

    boost::asio::io_context io{1};
    EventBus events;
    std::shared_ptr<Collector> collector = std::make_shared<Collector>();
    LineWriter writer{collector};
    std::shared_ptr<LineSink> sink =
        std::make_shared<LineSink>(io.get_executor(), writer, "somewhere", events);
    std::shared_ptr<OutputReader> reader =
        std::make_shared<OutputReader>(io.get_executor(), sink, sink, format(), on_full);
    sys::UniqueFd output{::fcntl(reader->worker_output(), F_DUPFD_CLOEXEC, 0)};
    sys::UniqueFd errors{::fcntl(reader->worker_errors(), F_DUPFD_CLOEXEC, 0)};

    ~Fixture()
    {
        writer.observe(nullptr);
        collector->set_open(true);
    }

    static void write(const sys::UniqueFd& fd, std::string_view text)
    {
        REQUIRE(::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    }

    static int unread(const sys::UniqueFd& fd)
    {
        int bytes = -1;
        ::ioctl(fd.get(), FIONREAD, &bytes);
        return bytes;
    }

    [[nodiscard]] bool arrives(const std::string& text)
    {
        return eventually([&] {
            io.restart();
            io.poll();
            return collector->text() == text;
        });
    }

    void fill()
    {
        collector->set_open(false);
        writer.observe(sink.get());
        while (sink->has_room(on_full))
            sink->write(std::string(99, 'x') + "\n", on_full);
    }
};

} // namespace

TEST_SUITE_BEGIN("output_reader");

TEST_CASE_FIXTURE(Fixture, "lines get their prefix, whichever stream they come from")
{
    CHECK((::fcntl(output.get(), F_GETFL) & O_NONBLOCK) == 0);
    reader->start(7);
    write(output, "a\nb");
    CHECK(arrives("[p/1] a\n"));
    write(errors, "c\n");
    CHECK(arrives("[p/1] a\n[p/1] c\n"));
    reader->finish();
    CHECK(arrives("[p/1] a\n[p/1] c\n[p/1] b\n"));
    CHECK(run_to_end(io));
}

TEST_CASE_FIXTURE(Fixture, "lines stay as they are, unless they are to be clean")
{
    std::string expected;
    for (const bool clean : {false, true}) {
        reader =
            std::make_shared<OutputReader>(io.get_executor(), sink, sink, format(clean), on_full);
        output.reset(::fcntl(reader->worker_output(), F_DUPFD_CLOEXEC, 0));
        reader->start(7);
        write(output, "a\x1b[1m\rb\n");
        expected += clean ? "[p/1] a [1m b\n" : "[p/1] a\x1b[1m\rb\n";
        CHECK(arrives(expected));
        reader->finish();
    }
    CHECK(run_to_end(io));
}

TEST_CASE_FIXTURE(Fixture, "what was written is read at the end, although others hold the pipe")
{
    reader->start(7);
    std::string all;
    for (int i = 0; i < 3000; ++i) {
        write(output, "x" + std::to_string(i) + "\n");
        all += "[p/1] x" + std::to_string(i) + "\n";
    }
    reader->finish();
    CHECK(arrives(all));
    CHECK(run_to_end(io)); // output and errors are still open
}

TEST_CASE_FIXTURE(Fixture, "while there is no room nothing is read; the end reads it all the same")
{
    fill();
    reader->start(7);
    write(output, "a\n");
    run_ready(io);
    CHECK(unread(output) == 2);
    reader->finish();
    CHECK(unread(output) == 0);
    collector->set_open(true);
    CHECK(arrives("[p/1] a\n"));
    CHECK(run_to_end(io));
}

TEST_CASE_FIXTURE(Fixture, "reading goes on when there is room again")
{
    fill();
    reader->start(7);
    write(output, "a\n");
    run_ready(io);
    CHECK(unread(output) == 2);
    collector->set_open(true);
    CHECK(arrives("[p/1] a\n"));
    reader->finish();
    CHECK(run_to_end(io));
}

TEST_CASE_FIXTURE(Fixture, "what is too much is read all the same if it is to be dropped")
{
    fill();
    reader = std::make_shared<OutputReader>(io.get_executor(), sink, sink, format(),
                                            LineSink::OnFull::drop);
    output = sys::UniqueFd{::fcntl(reader->worker_output(), F_DUPFD_CLOEXEC, 0)};
    reader->start(7);
    write(output, "a\n");
    CHECK(run_until(io, [&] { return sink->lost_lines() == 1; }));
    CHECK(unread(output) == 0);
    collector->set_open(true);
    reader->finish();
    sink->close();
    CHECK(run_to_end(io));
}

TEST_CASE_FIXTURE(Fixture, "the last 20 lines of the errors are kept, shortened")
{
    reader->start(7);
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
    reader->start(7);
    output.reset();
    errors.reset();
    CHECK(run_to_end(io));
    reader->finish();
}

TEST_SUITE_END();

} // namespace usher::output_reader_test
