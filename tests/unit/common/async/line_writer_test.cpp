// SPDX-License-Identifier: MIT
#include "common/async/shared_descriptor.hpp"

#include "common/sys/fd/unique_fd.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/no_threads.hpp"
#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include <fcntl.h>
#include <unistd.h>

namespace usher::line_writer_test {

using namespace usher::test;
using Clock = LineWriter::Clock;

namespace {

struct Observer final : LineWriter::Observer {
    std::atomic<int> rooms = 0;
    std::atomic<int> failures = 0;

    void on_room() noexcept override { ++rooms; }
    void on_failure(std::size_t, std::error_code) noexcept override { ++failures; }
};

/// A writer to one end of a pipe, whose other end is read when a test says so.
struct Fixture {
    sys::UniqueFd reader;
    sys::UniqueFd writer_end;
    std::optional<LineWriter> writer;
    std::string read_so_far;

    Fixture()
    {
        std::array<int, 2> ends{};
        REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
        reader.reset(ends[0]);
        writer_end.reset(ends[1]);
        ::fcntl(reader.get(), F_SETFL, O_NONBLOCK);
        writer.emplace(std::make_shared<SharedDescriptor>(writer_end.get()));
    }

    ~Fixture() { reader.reset(); } // so that the writer is stuck no longer

    void read()
    {
        std::string text(1 << 16, '\0');
        const auto size = ::read(reader.get(), text.data(), text.size());
        if (size > 0)
            read_so_far.append(text, 0, static_cast<std::size_t>(size));
    }

    /// Writes numbered lines until `limit` bytes wait; all of them.
    std::string fill(std::size_t limit)
    {
        std::string all;
        for (int i = 0;; ++i) {
            const auto line = std::to_string(i) + std::string(90, 'x') + "\n";
            if (!writer->write(line, limit))
                return all;
            all += line;
        }
    }
};

} // namespace

TEST_SUITE_BEGIN("line_writer");

TEST_CASE_FIXTURE(Fixture, "lines are written at once")
{
    CHECK(writer->write("one\ntwo\n"));
    CHECK(eventually([&] { return read(), read_so_far == "one\ntwo\n"; }));
}

TEST_CASE_FIXTURE(Fixture, "whoever has a writer needs no thread later, however long it was idle")
{
    CHECK(writer->write("one\n"));
    CHECK(eventually([&] { return writer->is_idle(); }));
    const NoThreads none;
    CHECK(writer->write("two\n"));
    std::atomic<bool> done = false;
    writer->post([&] {
        done = true;
        return std::error_code{};
    });
    CHECK(eventually([&] { return read(), read_so_far == "one\ntwo\n"; }));
    CHECK(eventually([&] { return done.load(); }));
}

TEST_CASE_FIXTURE(Fixture, "where no thread can be had there is no writer")
{
    const NoThreads none;
    const auto target = std::make_shared<SharedDescriptor>(writer_end.get());
    CHECK_THROWS_WITH_AS(LineWriter{target},
                         doctest::Contains("no thread can be started, so raise the limit of"),
                         std::system_error);
}

TEST_CASE_FIXTURE(Fixture, "the end does not wait for a thread that has nothing to do")
{
    CHECK(writer->write("one\n"));
    CHECK(eventually([&] { return writer->is_idle(); }));
    writer->finish(Clock::now());
    CHECK_FALSE(writer->write("two\n"));
    writer.reset();
    CHECK((read(), read_so_far == "one\n"));
}

TEST_CASE_FIXTURE(Fixture,
                  "a full pipe stops nobody, and what waits comes in order when it is read")
{
    const auto all = fill(1 << 20);
    CHECK(all.size() > (1 << 20));
    CHECK((::fcntl(writer_end.get(), F_GETFL) & O_NONBLOCK) == 0);
    CHECK(eventually([&] { return read(), read_so_far.size() == all.size(); }));
    CHECK(read_so_far == all);
    CHECK(writer->write("more\n"));
}

TEST_CASE_FIXTURE(Fixture, "whoever found no room is told once when there is some")
{
    Observer observer;
    writer->observe(&observer);
    CHECK(writer->room_or_tell(1 << 20));
    fill(1 << 20);
    CHECK_FALSE(writer->room_or_tell(1 << 19));
    CHECK(observer.rooms == 0);
    CHECK(eventually([&] { return read(), observer.rooms > 0; }));
    CHECK(eventually([&] { return read(), writer->is_idle(); }));
    CHECK(observer.rooms == 1);
}

TEST_CASE_FIXTURE(Fixture, "who observes no longer is not told")
{
    Observer observer;
    writer->observe(&observer);
    fill(1 << 20);
    CHECK_FALSE(writer->room_or_tell(1 << 19));
    writer->observe(nullptr);
    CHECK(eventually([&] { return read(), writer->is_idle(); }));
    CHECK(observer.rooms == 0);
}

TEST_CASE_FIXTURE(Fixture, "a job is done between two batches, and its error is told")
{
    Observer observer;
    writer->observe(&observer);
    const auto all = fill(1 << 18);
    std::atomic<bool> done = false;
    writer->post([&] {
        done = true;
        return make_error_code(std::errc::io_error);
    });
    CHECK_FALSE(done);
    CHECK(eventually([&] { return read(), writer->is_idle(); }));
    CHECK(done);
    CHECK(observer.failures == 1);
}

TEST_CASE_FIXTURE(Fixture, "the end waits for a reader that goes on")
{
    const auto all = fill(1 << 18);
    std::thread reading{[&] {
        while (read_so_far.size() < all.size()) {
            read();
            std::this_thread::sleep_for(1ms);
        }
    }};
    writer.reset();
    reading.join();
    CHECK(read_so_far == all);
}

TEST_CASE_FIXTURE(Fixture,
                  "the end gives up after a second in which nobody reads, and says so later")
{
    const auto all = fill(1 << 18);
    const auto before = Clock::now();
    writer.reset();
    CHECK(Clock::now() - before >= 1s);
    CHECK(Clock::now() - before < 4s);
    // Its thread is stuck in a write, and sees what has become of it when that is over.
    CHECK(eventually([&] { return read(), read_so_far.ends_with("nobody read on in time\n"); }));
    const auto at = read_so_far.rfind("usher: ");
    const auto given_up = std::stoi(read_so_far.substr(at + 7));
    const auto written = std::count(read_so_far.begin(), read_so_far.end(), '\n') - 1;
    CHECK(written + given_up == std::count(all.begin(), all.end(), '\n'));
}

TEST_CASE_FIXTURE(Fixture, "nobody on the other side is no error")
{
    reader.reset();
    CHECK(writer->write("lost\n"));
    CHECK(eventually([&] { return writer->is_idle(); }));
}

TEST_CASE_FIXTURE(Fixture, "others may have made the pipe non-blocking")
{
    ::fcntl(writer_end.get(), F_SETFL, O_NONBLOCK);
    const auto all = fill(1 << 20);
    CHECK(eventually([&] { return read(), read_so_far.size() == all.size(); }));
    CHECK(read_so_far == all);
}

TEST_CASE(
    "a line longer than a pipe takes at once is written whole, and a file is as good as a pipe")
{
    const TempDir folder;
    const auto path = folder.path() / "log";
    const sys::UniqueFd file{::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600)};
    const auto text = "a\n" + std::string(10'000, 'b') + "\nc\n";
    {
        LineWriter writer{std::make_shared<SharedDescriptor>(file.get())};
        CHECK(writer.write(text));
    }
    std::ifstream in{path};
    CHECK(std::string{std::istreambuf_iterator<char>{in}, {}} == text);
}

TEST_SUITE_END();

} // namespace usher::line_writer_test
