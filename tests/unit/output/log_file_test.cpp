// SPDX-License-Identifier: MIT
#include "balancer/output/log_file.hpp"

#include "tests/support/small_files.hpp"
#include "tests/support/sockets.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/support/touch.hpp"

#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <tuple>

#include <fcntl.h>
#include <sys/socket.h>
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

/// A descriptor as usher is started with: it stays open across exec().
class Inherited {
public:
    explicit Inherited(int fd) : number_{::dup(fd)} { REQUIRE(number_ >= 0); }
    Inherited(const Inherited&) = delete;
    Inherited& operator=(const Inherited&) = delete;
    ~Inherited() { ::close(number_); }

    [[nodiscard]] std::string path(const std::string& folder) const
    {
        return folder + std::to_string(number_);
    }

private:
    int number_;
};

sys::UniqueFd open_file(const std::string& path, int flags)
{
    return sys::UniqueFd{::open(path.c_str(), flags | O_CREAT | O_CLOEXEC, 0600)};
}

std::string received(const sys::UniqueFd& fd)
{
    std::string text(1 << 16, '\0');
    const auto size = ::read(fd.get(), text.data(), text.size());
    return text.substr(0, size > 0 ? static_cast<std::size_t>(size) : 0);
}

/// Has a lease on a file, as long as it lives, unless there can be none.
class Lease {
public:
    explicit Lease(const std::string& path)
        : before_{std::signal(SIGIO, SIG_IGN)}, fd_{open_file(path, O_RDWR)}
    {
        is_held_ = ::fcntl(fd_.get(), F_SETLEASE, F_WRLCK) == 0;
    }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    ~Lease()
    {
        ::fcntl(fd_.get(), F_SETLEASE, F_UNLCK);
        std::signal(SIGIO, before_);
    }

    /// False, with a message, where the file system has none.
    [[nodiscard]] bool is_held() const
    {
        if (!is_held_)
            MESSAGE("left out: this file system has no leases");
        return is_held_;
    }

private:
    void (*before_)(int);
    sys::UniqueFd fd_;
    bool is_held_ = false;
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

TEST_CASE_FIXTURE(Fixture, "a file that somebody has cut is full when it is full again")
{
    LogFile log{path, {.max_size = 100, .max_files = 5}};
    const std::string line = std::string(39, 'x') + "\n";
    std::ignore = log.write(line + line);
    fs::copy_file(path, path + ".copy"); // as logrotate's copytruncate does
    fs::resize_file(path, 0);
    std::ignore = log.write(line + line);
    CHECK_FALSE(fs::exists(path + ".1"));
    CHECK(file(0) == line + line);
    std::ignore = log.write(line);
    CHECK(file(1) == line + line);
    CHECK(file(0) == line);
}

TEST_CASE_FIXTURE(Fixture, "a file to which others write as well is full when it is")
{
    LogFile log{path, {.max_size = 100, .max_files = 5}};
    std::ignore = log.write("mine\n");
    std::ofstream{path, std::ios::app} << std::string(94, 'o') << "\n";
    std::ignore = log.write("next\n");
    CHECK(fs::file_size(path + ".1") == 100);
    CHECK(file(0) == "next\n");
}

TEST_CASE_FIXTURE(Fixture, "one that could not be renamed and was cut then is full at its size")
{
    fs::create_directories(path + ".1/not-empty");
    LogFile log{path, {.max_size = 8, .max_files = 1}};
    std::ignore = log.write("one\ntwo\nthree\n"); // fails
    fs::resize_file(path, 0);
    fs::remove_all(path + ".1");
    std::ignore = log.write("one\ntwo\nthree\n");
    CHECK(file(1) == "one\ntwo\n");
    CHECK(file(0) == "three\n");
}

TEST_CASE_FIXTURE(Fixture, "a file that others have put in its place is written to, not renamed")
{
    LogFile log{path, {.max_size = 8, .max_files = 2}};
    std::ignore = log.write("one\ntwo\n");
    fs::rename(path, path + ".moved"); // as logrotate's create does, and tells nobody
    std::ofstream{path} << "n\n";
    std::ignore = log.write("three\n");
    CHECK(file(0) == "n\nthree\n");
    CHECK(content(path + ".moved") == "one\ntwo\n");
    CHECK_FALSE(fs::exists(path + ".1"));
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

TEST_CASE_FIXTURE(Fixture, "a link stays one, also if it comes later, and its target is renamed")
{
    fs::create_directory(folder.path() / "elsewhere");
    const auto target = folder.path() / "elsewhere/file";
    const auto link_it = [&] { fs::create_symlink("elsewhere/file", path); };
    bool is_later = false;
    SUBCASE("from the beginning")
    {
        link_it();
    }
    SUBCASE("later")
    {
        is_later = true;
    }
    LogFile log{path, {.max_size = 4, .max_files = 9}};
    if (is_later) {
        std::ignore = log.write("one\n");
        fs::rename(path, target); // to another disk, say
        link_it();
    }
    for (const auto* line : {"two\n", "3\n", "4\n"})
        std::ignore = log.write(line);
    CHECK(fs::is_symlink(path));
    CHECK_FALSE(fs::exists(path + ".1"));
    CHECK(content(target) == "3\n4\n");
    CHECK(content(target.string() + ".1") == "two\n");
    CHECK(content(target.string() + ".2") == (is_later ? "one\n" : ""));
}

TEST_CASE_FIXTURE(Fixture,
                  "a descriptor that usher was started with is shared, never renamed or cut")
{
    const auto descriptor = open_file(path, O_WRONLY);
    REQUIRE(::write(descriptor.get(), "before\n", 7) == 7);
    const Inherited inherited{descriptor.get()};
    for (const auto* const at : {"/dev/fd/", "/proc/self/fd/"}) {
        LogFile log{inherited.path(at), {.max_size = 4, .max_files = 2}};
        CHECK_FALSE(log.is_regular());
        for (const auto* line : {"one\n", "two\n"})
            CHECK(log.write(line).taken == 4);
    }
    CHECK(file(0) == "before\none\ntwo\none\ntwo\n"); // one offset, so not over what was there
    {
        const SmallFiles limit{25};
        LogFile log{inherited.path("/dev/fd/"), {.max_size = 4, .max_files = 2}};
        CHECK(log.write("three\n").lost_lines == 1);
    }
    CHECK(file(0).starts_with("before\none\ntwo\none\ntwo\n"));
    CHECK_FALSE(fs::exists(path + ".1"));
}

TEST_CASE_FIXTURE(Fixture, "also if it is a socket or a pipe, or a link leads to it")
{
    std::array<int, 2> ends{};
    SUBCASE("a socket")
    {
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
    }
    SUBCASE("a pipe")
    {
        REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
    }
    const sys::UniqueFd reader{ends[0]};
    const sys::UniqueFd writer{ends[1]};
    const Inherited inherited{writer.get()};
    LogFile log{inherited.path("/dev/fd/"), {.max_size = 4, .max_files = 2}};
    CHECK(log.write("one\ntwo\n").taken == 8);
    CHECK(received(reader) == "one\ntwo\n");

    fs::create_symlink(inherited.path("/dev/fd/"), path);
    LogFile linked{path, {.max_size = 4, .max_files = 2}};
    CHECK(linked.has_place_of(log));
    CHECK(linked.write("three\n").taken == 6);
    CHECK_FALSE(linked.reopen());
    CHECK(linked.write("four\n").taken == 5);
    CHECK(received(reader) == "three\nfour\n");
    CHECK(fs::is_symlink(path));
    // The socket is still in the mode that others count on.
    CHECK((::fcntl(writer.get(), F_GETFL) & O_NONBLOCK) == 0);
}

TEST_CASE_FIXTURE(Fixture, "a descriptor that is ours, closed or for reading is none to write to")
{
    const auto reason = [](const std::string& at) {
        try {
            std::ignore = LogFile{at, {}};
            return std::string{};
        } catch (const std::system_error& e) {
            return std::string{e.what()};
        }
    };
    const std::string sentence =
        ": usher was started with no such descriptor that can be written to: Bad file descriptor";
    const auto own = open_file(path, O_WRONLY);
    const auto own_path = "/dev/fd/" + std::to_string(own.get());
    CHECK(reason(own_path) == own_path + sentence);
    const auto to_read = open_file(path, O_RDONLY);
    const Inherited inherited{to_read.get()};
    CHECK(reason(inherited.path("/dev/fd/")) == inherited.path("/dev/fd/") + sentence);
    CHECK(reason("/dev/fd/987654") != "");
}

TEST_CASE_FIXTURE(Fixture, "the file of a socket is refused with what helps")
{
    const auto listener = listen_on(sys::SocketAddress::unix_path(path));
    CHECK_THROWS_WITH_AS((LogFile{path, {}}),
                         (path + ": a socket's file takes no lines; name a file, a FIFO or "
                                 "/dev/stdout: No such device or address")
                             .c_str(),
                         std::system_error);
}

TEST_CASE_FIXTURE(Fixture, "a lease that somebody has on the file is waited for")
{
    using namespace std::chrono_literals;
    auto lease = std::make_unique<Lease>(path);
    if (!lease->is_held())
        return;
    std::jthread holder{[&] {
        std::this_thread::sleep_for(100ms); // as a program that finishes what it does
        lease.reset();
    }};
    LogFile log{path, {.max_size = 100, .max_files = 1}};
    std::ignore = log.write("one\n");
    holder.join();
    CHECK(file(0) == "one\n");
}

TEST_CASE_FIXTURE(Fixture,
                  "one on what is to be opened anew keeps nobody waiting, and is tried again")
{
    LogFile log{path, {.max_size = 100, .max_files = 1}};
    fs::rename(path, path + ".moved");
    auto lease = std::make_unique<Lease>(path);
    if (!lease->is_held())
        return;
    CHECK(log.reopen() == std::errc::operation_would_block);
    std::ignore = log.write("one\n");
    lease.reset();
    std::ignore = log.write("two\n");
    CHECK(content(path + ".moved") == "one\n");
    CHECK(file(0) == "two\n");
}

TEST_CASE("a file that cannot be opened is an error at once")
{
    CHECK_THROWS_AS((LogFile{"/no-such-folder/log", {}}), std::system_error);
}

TEST_SUITE_END();

} // namespace usher::log_file_test
