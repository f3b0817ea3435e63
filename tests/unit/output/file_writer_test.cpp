// SPDX-License-Identifier: MIT
#include "balancer/output/file_writer.hpp"

#include "tests/support/eventually.hpp"
#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <tuple>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace usher;
using namespace usher::test;

namespace {

struct Observer final : FileWriter::Observer {
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

constexpr std::size_t no_limit = 1UL << 30;

} // namespace

TEST_SUITE_BEGIN("file_writer");

TEST_CASE_FIXTURE(Fixture, "what is queued is written before the end, in order")
{
    std::string all;
    {
        FileWriter writer;
        const auto file = writer.add(LogFile{path, limits}, observer);
        for (int i = 0; i < 10'000; ++i) {
            const auto line = std::to_string(i) + "\n";
            all += line;
            CHECK(writer.write(*file, line, no_limit));
        }
    }
    CHECK(content() == all);
    CHECK(observer.failures == 0);
}

TEST_CASE_FIXTURE(Fixture,
                  "a file that takes nothing refuses what is over the limit, and others go on")
{
    const auto other_path = (folder.path() / "other").string();
    REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
    const sys::UniqueFd reader{::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)};
    Observer other;
    const std::string batch = std::string(9'999, 'x') + "\n";
    int taken = 0;
    {
        FileWriter writer;
        const auto stuck = writer.add(LogFile{path, limits}, observer);
        const auto good = writer.add(LogFile{other_path, limits}, other);
        while (writer.write(*stuck, batch, 100'000))
            ++taken;
        CHECK(taken >= 10);
        CHECK(writer.write(*good, "fine\n", 100));
        CHECK(eventually([&] { return std::filesystem::file_size(other_path) == 5; }));
        CHECK(eventually([&] { return writer.remove(good); }));
        CHECK_FALSE(writer.remove(stuck));
    }
    // What the FIFO did not take is told.
    std::string text(1 << 20, '\0');
    const auto size = ::read(reader.get(), text.data(), text.size());
    REQUIRE(size > 0);
    CHECK(observer.lost + static_cast<std::size_t>(size) / batch.size() ==
          static_cast<std::size_t>(taken));
}

TEST_CASE_FIXTURE(Fixture, "who found no room hears once when there is some")
{
    REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
    const sys::UniqueFd reader{::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)};
    FileWriter writer;
    const auto file = writer.add(LogFile{path, limits}, observer);
    const std::string batch = std::string(200'000, 'x') + "\n";
    REQUIRE(writer.write(*file, batch, no_limit));
    REQUIRE_FALSE(writer.room_or_tell(*file, 1'000));

    std::string text(1 << 16, '\0');
    CHECK(eventually([&] {
        std::ignore = ::read(reader.get(), text.data(), text.size());
        return observer.rooms == 1;
    }));
    CHECK(eventually([&] {
        std::ignore = ::read(reader.get(), text.data(), text.size());
        return writer.room_or_tell(*file, 1);
    }));
}

TEST_CASE_FIXTURE(Fixture, "what is lost for want of space is told, and the writer goes on")
{
    FileWriter writer;
    const auto file = writer.add(LogFile{"/dev/full", limits}, observer);
    CHECK(writer.write(*file, "a\nb\n", no_limit));
    CHECK(eventually([&] { return observer.lost == 2; }));
    CHECK(writer.write(*file, "c\n", no_limit));
    CHECK(eventually([&] { return observer.lost == 3; }));
}

TEST_CASE_FIXTURE(Fixture, "reopen() begins a new file")
{
    FileWriter writer;
    const auto file = writer.add(LogFile{path, limits}, observer);
    CHECK(writer.write(*file, "a\n", no_limit));
    CHECK(eventually([&] { return content() == "a\n"; }));
    std::filesystem::rename(path, path + ".moved");
    writer.reopen();
    CHECK(eventually([&] { return std::filesystem::exists(path); }));
    CHECK(writer.write(*file, "b\n", no_limit));
    CHECK(eventually([&] { return content() == "b\n"; }));
}

TEST_SUITE_END();
