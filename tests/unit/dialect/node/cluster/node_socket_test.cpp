// SPDX-License-Identifier: MIT
#include "balancer/dialect/node/cluster/node_socket.hpp"

#include "tests/support/no_fd_leak.hpp"
#include "tests/support/sockets.hpp"
#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace usher::node_socket_test {

using namespace usher::test;

namespace {

namespace fs = std::filesystem;

struct Fixture : NoFdLeak {
    TempDir folder;
    std::string path = (folder.path() / "s.sock").string();

    /// 0 or an errno.
    static int open(const ServerRequest& request, ListeningSocket& socket)
    {
        try {
            socket = open_node_socket(request, SocketUse::listen, 16);
            return 0;
        } catch (const std::system_error& e) {
            return e.code().value();
        }
    }

    static ServerRequest for_path(std::string path)
    {
        return {.address = std::move(path), .is_path = true, .port = -1};
    }
};

/// For one scope the process is in a folder that is gone.
class Nowhere {
public:
    Nowhere()
    {
        const TempDir gone;
        fs::current_path(gone.path());
    }
    Nowhere(const Nowhere&) = delete;
    Nowhere& operator=(const Nowhere&) = delete;
    ~Nowhere() { fs::current_path(before_); }

private:
    fs::path before_ = fs::current_path();
};

unsigned mode_of(const std::string& path)
{
    struct stat status {};
    REQUIRE(::lstat(path.c_str(), &status) == 0);
    return status.st_mode & 0777U;
}

} // namespace

TEST_SUITE_BEGIN("node_socket");

TEST_CASE_FIXTURE(Fixture, "an empty path is no name that the kernel may choose")
{
    ListeningSocket socket;
    CHECK(open(for_path(""), socket) == EINVAL);
    CHECK(open({.is_path = true}, socket) == EINVAL);
    CHECK_FALSE(socket.fd);
}

TEST_CASE_FIXTURE(Fixture, "a path is found though the process is nowhere")
{
    const Nowhere nowhere;
    ListeningSocket socket;
    CHECK(open(for_path(path), socket) == 0);
    CHECK(fs::is_socket(path));
    CHECK(open(for_path("relative"), socket) != 0);
}

TEST_CASE_FIXTURE(Fixture, "a path is what it looks like, whatever links there are")
{
    fs::create_directories(folder.path() / "a/b");
    fs::create_directory_symlink(folder.path() / "a/b", folder.path() / "link");
    ListeningSocket socket;
    CHECK(open(for_path((folder.path() / "link/../s.sock").string()), socket) == 0);
    CHECK(fs::is_socket(path));
    CHECK_FALSE(fs::exists(folder.path() / "a/s.sock"));
}

TEST_CASE_FIXTURE(Fixture, "whoever locks the folder does not hold up the process")
{
    const sys::UniqueFd lock{::open(folder.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    REQUIRE(::flock(lock.get(), LOCK_EX) == 0);
    ListeningSocket socket;
    CHECK(open(for_path(path), socket) == 0);
}

TEST_CASE_FIXTURE(Fixture,
                  "a Unix socket's file is for all if that was asked for, beyond the umask")
{
    const auto before = ::umask(027);
    for (const bool readable : {false, true})
        for (const bool writable : {false, true}) {
            auto request = for_path(path);
            request.readable_all = readable;
            request.writable_all = writable;
            ListeningSocket socket;
            CHECK(open(request, socket) == 0);
            CHECK(mode_of(path) == (0750U | (readable ? 0444U : 0U) | (writable ? 0222U : 0U)));
        }
    CHECK(::umask(before) == 027); // as it was
}

TEST_CASE_FIXTURE(Fixture,
                  "what the process was started with is taken only if it is the right kind")
{
    ListeningSocket socket;
    for (const int standard : {0, 1, 2})
        CHECK(open({.port = -1, .fd = standard}, socket) == EBADF);

    // As a socket of journald's or of who started usher: others have it, too.
    std::array<int, 2> pair{};
    for (const int type : {SOCK_STREAM, SOCK_DGRAM}) {
        REQUIRE(::socketpair(AF_UNIX, type, 0, pair.data()) == 0);
        const sys::UniqueFd one{pair[0]};
        const sys::UniqueFd other{pair[1]};
        for (const auto kind : {ServerRequest::Kind::stream, ServerRequest::Kind::datagram4}) {
            CHECK(open({.kind = kind, .port = -1, .fd = one.get()}, socket) == EINVAL);
            CHECK_FALSE(is_non_blocking(one.get()));
        }
    }

    const auto listener = listen_on(loopback(0));
    const sys::UniqueFd inherited{::dup(listener.fd.get())}; // without close-on-exec
    CHECK(open({.port = -1, .fd = inherited.get()}, socket) == 0);
    CHECK(socket.address.port() == listener.address.port());
}

TEST_SUITE_END();

} // namespace usher::node_socket_test
