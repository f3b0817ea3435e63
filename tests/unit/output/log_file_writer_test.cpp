// SPDX-License-Identifier: MIT
#include "balancer/output/log_file.hpp"

#include "tests/support/eventually.hpp"
#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>

#include <fcntl.h>
#include <poll.h>
#include <sys/fanotify.h>
#include <sys/stat.h>
#include <unistd.h>

namespace usher::log_file_writer_test {

using namespace usher::test;

namespace {

struct Observer final : LineWriter::Observer {
    std::atomic<int> rooms = 0;
    std::atomic<std::size_t> lost = 0;
    std::atomic<int> failures = 0;

    void on_room() noexcept override { ++rooms; }
    void on_failure(std::size_t lines, std::error_code) noexcept override
    {
        lost += lines;
        ++failures;
    }
};

struct Fixture {
    TempDir folder;
    std::string path = (folder.path() / "log").string();
    Observer observer;
    LogFile::Limits limits{.max_size = 1UL << 30, .max_files = 1};

    std::string content() const
    {
        std::ostringstream text;
        text << std::ifstream{path}.rdbuf();
        return text.str();
    }
};

} // namespace

TEST_SUITE_BEGIN("log_file_writer");

TEST_CASE_FIXTURE(Fixture, "what is queued is written before the end, in order")
{
    std::string all;
    {
        LineWriter writer{std::make_shared<LogFile>(path, limits)};
        for (int i = 0; i < 10'000; ++i) {
            const auto line = std::to_string(i) + "\n";
            all += line;
            CHECK(writer.write(line));
        }
    }
    CHECK(content() == all);
}

TEST_CASE_FIXTURE(Fixture,
                  "a FIFO that nobody reads refuses what is over the limit, and the end tells it")
{
    REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
    const sys::UniqueFd reader{::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)};
    const std::string batch = std::string(9'999, 'x') + "\n";
    std::size_t taken = 0;
    {
        LineWriter writer{std::make_shared<LogFile>(path, limits)};
        writer.observe(&observer);
        while (writer.write(batch, 100'000))
            ++taken;
        CHECK(taken >= 10);
        CHECK_FALSE(writer.is_idle());
    }
    std::string text(1 << 20, '\0');
    const auto size = ::read(reader.get(), text.data(), text.size());
    REQUIRE(size > 0);
    CHECK(observer.lost + static_cast<std::size_t>(size) / batch.size() == taken);
}

TEST_CASE_FIXTURE(Fixture, "what is lost for want of space is told, and the writer goes on")
{
    LineWriter writer{std::make_shared<LogFile>("/dev/full", limits)};
    writer.observe(&observer);
    CHECK(writer.write("a\nb\n"));
    CHECK(eventually([&] { return observer.lost == 2; }));
    CHECK(writer.write("c\n"));
    CHECK(eventually([&] { return observer.lost == 3; }));
}

TEST_CASE_FIXTURE(Fixture,
                  "a disk that hangs keeps nobody waiting for long, and what it has not is told")
{
    const auto file = std::make_shared<LogFile>(path, limits);
    LineWriter writer{file};
    writer.observe(&observer);
    const sys::UniqueFd hang{::fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC, O_RDONLY)};
    if (!hang ||
        ::fanotify_mark(hang.get(), FAN_MARK_ADD, FAN_OPEN_PERM, AT_FDCWD, path.c_str()) < 0) {
        MESSAGE("nobody can hold up an open() here");
        return;
    }
    writer.post([file] { return file->reopen(); });
    pollfd entry{.fd = hang.get(), .events = POLLIN, .revents = 0};
    REQUIRE(::poll(&entry, 1, 10'000) == 1);
    CHECK(writer.write("a\nb\n"));
    const auto before = LineWriter::Clock::now();
    writer.finish(before);
    CHECK(LineWriter::Clock::now() - before < 10s);
    CHECK(observer.lost == 2);
}

TEST_CASE_FIXTURE(Fixture, "reopen() begins a new file")
{
    const auto file = std::make_shared<LogFile>(path, limits);
    LineWriter writer{file};
    CHECK(writer.write("a\n"));
    CHECK(eventually([&] { return content() == "a\n"; }));
    std::filesystem::rename(path, path + ".moved");
    writer.post([file] { return file->reopen(); });
    CHECK(eventually([&] { return std::filesystem::exists(path); }));
    CHECK(writer.write("b\n"));
    CHECK(eventually([&] { return content() == "b\n"; }));
}

TEST_SUITE_END();

} // namespace usher::log_file_writer_test
