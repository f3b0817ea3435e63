// SPDX-License-Identifier: MIT
#include "balancer/output/log_file.hpp"

#include "tests/support/small_files.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/support/touch.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <tuple>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace usher::log_file_test {

using namespace usher::test;
namespace fs = std::filesystem;

namespace {

std::string content(const fs::path& path)
{
    std::ostringstream text;
    text << std::ifstream{path}.rdbuf();
    return text.str();
}

struct Fixture {
    TempDir folder;
    std::string path = (folder.path() / "log").string();

    std::string file(unsigned number) const
    {
        return content(number == 0 ? path : path + "." + std::to_string(number));
    }
};

/// A folder that belongs to another user, who is not trusted.
struct SharedFolder {
    static constexpr uid_t owner = 65'533;

    TempDir folder;
    fs::path shared = folder.path() / "shared";
    std::string path = shared / "log";
    fs::path precious = folder.path() / "precious";

    /// False, with a message, if only root can.
    [[nodiscard]] bool make() const
    {
        if (::geteuid() != 0) {
            MESSAGE("left out: this takes root");
            return false;
        }
        std::ofstream{precious} << "precious\n";
        fs::create_directory(shared);
        REQUIRE(::chown(shared.c_str(), owner, owner) == 0);
        return true;
    }
};

} // namespace

TEST_SUITE_BEGIN("log_file");

TEST_CASE_FIXTURE(Fixture, "what is there is kept, and counts")
{
    std::ofstream{path} << "old\n";
    LogFile log{path, {.max_size = 8, .max_files = 2}};
    CHECK(log.write("new\nnext\n").taken == 9);
    CHECK(file(1) == "old\nnew\n");
    CHECK(file(0) == "next\n");
}

TEST_CASE_FIXTURE(Fixture, "full files are renamed, the oldest one goes")
{
    LogFile log{path, {.max_size = 4, .max_files = 2}};
    for (const auto* line : {"one\n", "two\n", "3\n", "4\n", "5\n"})
        CHECK(log.write(line).taken > 0);
    CHECK(file(2) == "two\n");
    CHECK(file(1) == "3\n4\n");
    CHECK(file(0) == "5\n");
    CHECK_FALSE(fs::exists(path + ".3"));
}

TEST_CASE_FIXTURE(Fixture, "no line is lost or torn, however batches and files meet")
{
    LogFile log{path, {.max_size = 100, .max_files = 2'000}};
    std::string all;
    std::string batch;
    for (int i = 0; i < 3000; ++i) {
        const auto line =
            std::to_string(i) + std::string(static_cast<std::size_t>(i % 37), 'x') + "\n";
        all += line;
        batch += line;
        if (i % 11 == 0) {
            const auto result = log.write(batch);
            CHECK(result.taken == batch.size());
            CHECK(result.lost_lines == 0);
            batch.clear();
        }
    }
    std::ignore = log.write(batch);

    std::string read;
    unsigned last = 0;
    while (fs::exists(path + "." + std::to_string(last + 1)))
        ++last;
    for (unsigned number = last + 1; number-- > 0;) {
        const auto text = file(number);
        CHECK(text.size() <= 100);
        CHECK(text.ends_with('\n'));
        read += text;
    }
    CHECK(last > 100);
    CHECK(read == all);
}

TEST_CASE_FIXTURE(Fixture, "a line longer than a file has one of its own")
{
    LogFile log{path, {.max_size = 4, .max_files = 5}};
    std::ignore = log.write("a\nmuch too long\nb\n");
    CHECK(file(2) == "a\n");
    CHECK(file(1) == "much too long\n");
    CHECK(file(0) == "b\n");
}

TEST_CASE_FIXTURE(Fixture, "after a rename from outside reopen() begins a new file")
{
    LogFile log{path, {.max_size = 1000, .max_files = 5}};
    std::ignore = log.write("a\n");
    fs::rename(path, path + ".moved");
    std::ignore = log.write("b\n");
    CHECK_FALSE(log.reopen());
    std::ignore = log.write("c\n");
    CHECK(content(path + ".moved") == "a\nb\n");
    CHECK(file(0) == "c\n");
}

TEST_CASE_FIXTURE(Fixture, "if it cannot be renamed, the file grows on and nothing is lost")
{
    fs::create_directories(path + ".1/not-empty");
    LogFile log{path, {.max_size = 4, .max_files = 1}};
    const auto result = log.write("one\ntwo\nthree\n");
    CHECK(result.error);
    CHECK(result.lost_lines == 0);
    CHECK(file(0) == "one\ntwo\nthree\n");
}

TEST_CASE_FIXTURE(Fixture, "a full disk costs whole lines, and the next ones are good again")
{
    LogFile log{path, {.max_size = 1'000'000, .max_files = 1}};
    {
        const SmallFiles limit{10};
        const auto result = log.write("one\ntwo\nthree\nfour\n");
        CHECK(result.taken == 19);
        CHECK(result.lost_lines == 2);
        CHECK(result.error == std::errc::file_too_large);
    }
    CHECK(file(0) == "one\ntwo\n");
    std::ignore = log.write("five\n");
    CHECK(file(0) == "one\ntwo\nfive\n");
}

TEST_CASE("no space is an error with the number of lines")
{
    LogFile log{"/dev/full", {.max_size = 4, .max_files = 1}};
    const auto result = log.write("one\ntwo\n");
    CHECK(result.error == std::errc::no_space_on_device);
    CHECK(result.lost_lines == 2);
    CHECK(result.taken == 8);
}

TEST_CASE_FIXTURE(Fixture, "a FIFO that nobody reads would block, and is never renamed")
{
    REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
    LogFile log{path, {.max_size = 4, .max_files = 1}};
    const std::string line = std::string(1000, 'x') + "\n";
    LogFile::Result result;
    for (int i = 0; i < 1000 && !result.error; ++i)
        result = log.write(line);
    CHECK(result.error == std::errc::operation_would_block);
    CHECK(result.lost_lines == 0);
    CHECK_FALSE(fs::exists(path + ".1"));
}

TEST_CASE_FIXTURE(SharedFolder, "a link in a folder that others may write leads nowhere")
{
    if (!make())
        return;
    fs::create_symlink(precious, path);
    CHECK_THROWS_AS((LogFile{path, {}}), std::system_error);
    fs::remove(path);
    fs::create_symlink(folder.path() / "new", path);
    CHECK_THROWS_AS((LogFile{path, {}}), std::system_error);
    CHECK_FALSE(fs::exists(folder.path() / "new"));
    CHECK(content(precious) == "precious\n");
}

TEST_CASE_FIXTURE(SharedFolder, "nor does a second name of a file, or a link for a folder")
{
    if (!make())
        return;
    fs::create_hard_link(precious, path);
    CHECK_THROWS_AS((LogFile{path, {}}), std::system_error);
    fs::create_directory_symlink(folder.path(), shared / "sub");
    CHECK_THROWS_AS((LogFile{shared / "sub" / "precious", {}}), std::system_error);
    CHECK(content(precious) == "precious\n");
}

TEST_CASE_FIXTURE(SharedFolder, "a link that comes later is not followed at reopening or rotation")
{
    if (!make())
        return;
    LogFile log{path, {.max_size = 4, .max_files = 2}};
    std::ignore = log.write("one\n");
    fs::remove(path);
    fs::create_symlink(precious, path);
    CHECK(log.reopen());
    CHECK(log.write("two\n").lost_lines == 0); // rotates: the link becomes log.1
    CHECK(log.write("three\n").lost_lines == 0);
    CHECK(content(precious) == "precious\n");
}

TEST_CASE_FIXTURE(SharedFolder, "rotation stays in its folder when a link takes the folder's place")
{
    if (!make())
        return;
    LogFile log{path, {.max_size = 4, .max_files = 2}};
    std::ignore = log.write("one\n");
    fs::rename(shared, folder.path() / "moved");
    fs::create_directory(folder.path() / "other");
    fs::create_directory_symlink(folder.path() / "other", shared);
    std::ignore = log.write("two\n");
    CHECK(fs::is_empty(folder.path() / "other"));
    CHECK(content(folder.path() / "moved/log") == "two\n");
    CHECK(content(folder.path() / "moved/log.1") == "one\n");
}

TEST_CASE_FIXTURE(SharedFolder, "a file of the folder's owner is taken, a third user's is not")
{
    if (!make())
        return;
    touch(path);
    REQUIRE(::chown(path.c_str(), owner, owner) == 0);
    std::ignore = LogFile{path, {.max_size = 100, .max_files = 1}}.write("one\n");
    CHECK(content(path) == "one\n");
    REQUIRE(::chown(path.c_str(), owner - 1, owner) == 0);
    CHECK_THROWS_AS((LogFile{path, {}}), std::system_error);
}

TEST_CASE_FIXTURE(Fixture, "a link of our own in a folder of our own is followed")
{
    fs::create_directory(folder.path() / "elsewhere");
    fs::create_symlink("elsewhere/file", path);
    LogFile log{path, {.max_size = 4, .max_files = 2}};
    for (const auto* line : {"one\n", "two\n"})
        std::ignore = log.write(line);
    CHECK(content(folder.path() / "elsewhere/file") == "two\n");
    CHECK(content(folder.path() / "elsewhere/file.1") == "one\n");
}

TEST_CASE("a file that cannot be opened is an error at once")
{
    CHECK_THROWS_AS((LogFile{"/no-such-folder/log", {}}), std::system_error);
}

TEST_SUITE_END();

} // namespace usher::log_file_test
