// SPDX-License-Identifier: MIT
#include "balancer/listen/unix_listener.hpp"

#include "balancer/listen/socket_lock.hpp"
#include "common/async/closing_thread.hpp"
#include "tests/support/fds.hpp"
#include "tests/support/no_fd_leak.hpp"
#include "tests/support/sockets.hpp"
#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <tuple>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace usher::unix_listener_test {

using namespace usher::test;

namespace {

namespace fs = std::filesystem;

struct Fixture : NoFdLeak {
    TempDir folder;
    std::string path = (folder.path() / "s.sock").string();

    ListeningSocket open(std::optional<unsigned> mode = {}) const
    {
        return open_unix_listener(path, mode, 16);
    }

    /// Leaves a socket file behind that nobody listens on.
    void leave_stale_file() const
    {
        std::ignore = listen_on(sys::SocketAddress::unix_path(path));
        REQUIRE(fs::is_socket(path));
    }

    bool can_connect() const
    {
        try {
            std::ignore = connect_to(sys::SocketAddress::unix_path(path));
            return true;
        } catch (const std::system_error&) {
            return false;
        }
    }

    unsigned mode() const
    {
        struct stat status {};
        REQUIRE(::lstat(path.c_str(), &status) == 0);
        return status.st_mode & 0777U;
    }
};

class ScopedUmask {
public:
    explicit ScopedUmask(mode_t mask) : saved_{::umask(mask)} {}
    ScopedUmask(const ScopedUmask&) = delete;
    ScopedUmask& operator=(const ScopedUmask&) = delete;
    ~ScopedUmask() { ::umask(saved_); }

private:
    mode_t saved_;
};

} // namespace

TEST_SUITE_BEGIN("unix_listener");

TEST_CASE_FIXTURE(Fixture, "a Unix listener can be connected to, is non-blocking and close-on-exec")
{
    const auto socket = open();
    CHECK(can_connect());
    CHECK(is_non_blocking(socket.fd.get()));
    CHECK(is_close_on_exec(socket.fd.get()));
    CHECK(socket.address.to_string() == "unix:" + path);
}

TEST_CASE_FIXTURE(Fixture, "the file has the mode that was asked for, whatever the umask")
{
    const ScopedUmask umask{077};
    for (const unsigned wanted : {0660U, 0666U, 0777U, 0600U}) {
        const auto socket = open(wanted);
        CHECK(mode() == wanted);
    }
    CHECK(::umask(077) == 077); // as it was
}

TEST_CASE_FIXTURE(Fixture, "the file is whose it shall be, and has the mode all the same")
{
    const auto own_group = ::getegid();
    const auto owner_of = [this](const sys::FileOwner& owner) {
        const ScopedUmask umask{077};
        const auto socket = open_unix_listener(path, 0660, 16, owner);
        CHECK(mode() == 0660);
        struct stat status {};
        REQUIRE(::lstat(path.c_str(), &status) == 0);
        return std::pair{status.st_uid, status.st_gid};
    };
    CHECK(owner_of({.user = ::geteuid(), .group = own_group}) == std::pair{::geteuid(), own_group});
    if (::geteuid() == 0) {
        CHECK(owner_of({.user = 12, .group = 13}) == std::pair{uid_t{12}, gid_t{13}});
        CHECK(owner_of({.user = {}, .group = 13}) == std::pair{uid_t{0}, gid_t{13}});
        CHECK(owner_of({.user = 12, .group = {}}) == std::pair{uid_t{12}, own_group});
        return;
    }
    CHECK_THROWS_AS(std::ignore = owner_of({.user = 0, .group = {}}), std::system_error);
    finish_elsewhere(std::chrono::seconds{10});
    CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE_FIXTURE(Fixture, "without a mode the umask decides")
{
    const ScopedUmask umask{027};
    const auto socket = open();
    CHECK(mode() == 0750);
}

TEST_CASE_FIXTURE(Fixture, "a file that nobody listens on any more is replaced")
{
    leave_stale_file();
    const auto socket = open();
    CHECK(can_connect());
}

TEST_CASE_FIXTURE(Fixture, "a file that somebody listens on is refused, and they go on")
{
    const auto first = open();
    CHECK_THROWS_WITH_AS(
        std::ignore = open(),
        ("unix:" + path + ": another process listens there already, or the file is no socket")
            .c_str(),
        AddressInUse);
    CHECK(can_connect());
}

TEST_CASE_FIXTURE(Fixture, "somebody whose backlog is full still listens")
{
    const auto first = listen_on(sys::SocketAddress::unix_path(path), 0);
    const auto client = connect_to(first.address);
    CHECK_THROWS_AS(std::ignore = open(), AddressInUse);
}

TEST_CASE_FIXTURE(Fixture, "a file that is no socket is refused and untouched")
{
    std::ofstream{path} << "precious";
    CHECK_THROWS_AS(std::ignore = open(), AddressInUse);

    std::ifstream file{path};
    CHECK(std::string{std::istreambuf_iterator<char>{file}, {}} == "precious");
}

TEST_CASE_FIXTURE(Fixture, "a symbolic link is refused and untouched, wherever it points")
{
    const auto target = folder.path() / "target";
    std::ignore = listen_on(sys::SocketAddress::unix_path(target.string()));
    fs::create_symlink(target, path);
    CHECK_THROWS_AS(std::ignore = open(), AddressInUse);
    CHECK(fs::is_symlink(path));
    CHECK(fs::is_socket(target));
}

TEST_CASE_FIXTURE(Fixture, "a folder that is missing is named")
{
    const auto missing = folder.path() / "missing";
    try {
        std::ignore = open_unix_listener((missing / "s").string(), {}, 16);
        FAIL("was opened");
    } catch (const std::system_error& error) {
        CHECK(error.code() == std::errc::no_such_file_or_directory);
        CHECK(std::string{error.what()}.starts_with("unix:" + (missing / "s").string() + ": " +
                                                    missing.string() + ": "));
    }
}

TEST_CASE_FIXTURE(Fixture, "whoever locks the folder is not waited for")
{
    const sys::UniqueFd other{::open(folder.path().c_str(), O_RDONLY | O_CLOEXEC)};
    REQUIRE(::flock(other.get(), LOCK_EX) == 0);
    const auto socket = open();
    CHECK(can_connect());
}

TEST_CASE_FIXTURE(Fixture, "nothing but the socket is left in the folder")
{
    const auto socket = open();
    CHECK(std::distance(fs::directory_iterator{folder.path()}, {}) == 1);
}

TEST_CASE_FIXTURE(Fixture, "root refuses a folder that others may write to, unless it is sticky")
{
    if (::geteuid() != 0) {
        MESSAGE("left out: this takes root");
        return;
    }
    REQUIRE(::chmod(folder.path().c_str(), 01777) == 0);
    std::ignore = open();
    REQUIRE(::chmod(folder.path().c_str(), 0777) == 0);
    CHECK_THROWS_AS(std::ignore = open(), std::runtime_error);
    const auto below = folder.path() / "below"; // which others can rename
    fs::create_directory(below);
    CHECK_THROWS_AS(std::ignore = open_unix_listener((below / "s").string(), {}, 16),
                    std::runtime_error);
    fs::create_directory_symlink("below", folder.path() / "link");
    CHECK_THROWS_AS(std::ignore = open_unix_listener((folder.path() / "link/s").string(), {}, 16),
                    std::runtime_error);
    CHECK_FALSE(fs::exists(below / "s"));
    REQUIRE(::chmod(folder.path().c_str(), 0700) == 0);
    std::ignore = open_unix_listener((folder.path() / "link/s").string(), {}, 16);
}

TEST_CASE_FIXTURE(Fixture, "a path that is too long is refused before anything is touched")
{
    CHECK_THROWS_AS(std::ignore = open_unix_listener(path + std::string(100, 'x'), {}, 16),
                    std::invalid_argument);
}

TEST_CASE_FIXTURE(Fixture, "what somebody has put in the file's place stays, whatever it is")
{
    {
        const auto socket = open();
        REQUIRE(fs::remove(path));
        std::ofstream{path} << "precious";
    }
    finish_elsewhere(10s);
    CHECK(fs::is_regular_file(path));
}

TEST_CASE_FIXTURE(Fixture, "the file goes when the listener goes")
{
    std::ignore = open();
    finish_elsewhere(10s);
    CHECK_FALSE(fs::exists(path));
}

TEST_CASE_FIXTURE(Fixture, "another usher that opens one there is waited for, and not for ever")
{
    using namespace std::chrono_literals;
    auto lock = std::make_unique<SocketLock>(path, ".opening", "opens it at this moment");
    CHECK_THROWS_AS(std::ignore = open_unix_listener(path, {}, 16), AddressInUse);
    CHECK_THROWS_WITH_AS(std::ignore = open_unix_listener(path, {}, 16, {}, 20ms),
                         (path + ": this usher itself opens it at this moment").c_str(),
                         AddressInUse);
    std::jthread other{[&] {
        std::this_thread::sleep_for(50ms); // its disk is slow
        lock.reset();
    }};
    CHECK(open_unix_listener(path, {}, 16, {}, 60s).fd);
}

TEST_SUITE_END();

} // namespace usher::unix_listener_test
