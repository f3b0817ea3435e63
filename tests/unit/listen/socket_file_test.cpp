// SPDX-License-Identifier: MIT
#include "balancer/listen/socket_file.hpp"

#include "balancer/listen/left_files.hpp"
#include "common/async/closing_thread.hpp"
#include "tests/support/fds.hpp"
#include "tests/support/sockets.hpp"
#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace {

std::string unremovable; // a path, as in a folder that is another's by now

} // namespace

// NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): the system's are reserved
extern "C" int unlink(const char* path) noexcept
{
    if (path == unremovable) {
        errno = EACCES;
        return -1;
    }
    return static_cast<int>(::syscall(SYS_unlinkat, AT_FDCWD, path, 0));
}

namespace usher::socket_file_test {

using namespace usher::test;

namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds patience{10};

struct Folder : TempDir {
    /// A socket's file that nobody listens on any more.
    [[nodiscard]] fs::path make_socket(const std::string& name) const
    {
        auto path = this->path() / name;
        std::ignore = listen_on(sys::SocketAddress::unix_path(path.string()));
        return path;
    }
};

} // namespace

TEST_SUITE_BEGIN("socket_file");

TEST_CASE_FIXTURE(Folder, "the end of the scope removes the file")
{
    const auto path = make_socket("s");
    {
        const SocketFile file{path.string()};
    }
    finish_elsewhere(patience);
    CHECK_FALSE(fs::exists(path));
}

TEST_CASE_FIXTURE(Folder, "somebody else's file in its place stays")
{
    const auto path = make_socket("s");
    const auto theirs = make_socket("theirs");
    {
        const SocketFile file{path.string()};
        fs::rename(theirs, path);
    }
    finish_elsewhere(patience);
    CHECK(fs::exists(path));
}

TEST_CASE_FIXTURE(Folder, "what is no socket stays")
{
    const auto path = write("s", "precious");
    std::ignore = SocketFile{path.string()};
    finish_elsewhere(patience);
    CHECK(fs::exists(path));
}

TEST_CASE_FIXTURE(Folder, "a file that is gone already is no error, and nothing else is removed")
{
    const auto path = make_socket("s");
    {
        const SocketFile file{path.string()};
        fs::remove(path);
    }
    finish_elsewhere(patience);
    CHECK(fs::is_empty(TempDir::path()));
}

TEST_CASE_FIXTURE(Folder, "a file that cannot be removed is said once, and at once")
{
    std::ignore = left_files::take();
    unsigned called = 0;
    left_files::watch([&] { ++called; });
    const auto path = make_socket("s");
    unremovable = path.string();
    {
        const SocketFile file{path.string()};
        file.remove();
    }
    finish_elsewhere(patience);
    unremovable.clear();
    left_files::watch({});
    CHECK(fs::exists(path));
    CHECK(called == 1);
    CHECK(left_files::take() ==
          std::vector{"unix:" + path.string() +
                      ": the file cannot be removed: Permission denied; whoever finds it is "
                      "refused, so remove it"});
}

TEST_CASE_FIXTURE(Folder, "a file that several share is removed with the last of them")
{
    const auto path = make_socket("s");
    {
        SocketFile target;
        {
            SocketFile source{path.string()};
            target = std::move(source);
        }
        finish_elsewhere(patience);
        CHECK(fs::exists(path));
        const SocketFile last{target};
        target = {};
        finish_elsewhere(patience);
        CHECK(fs::exists(path));
        CHECK(last.is_there());
    }
    finish_elsewhere(patience);
    CHECK_FALSE(fs::exists(path));
}

TEST_CASE_FIXTURE(Folder, "the permissions that are asked for last are the file's")
{
    const SocketFile file{make_socket("s").string()};
    for (const unsigned mode : {0600U, 0666U, 0640U, 0660U})
        file.set_rights_elsewhere({.mode = mode});
    finish_elsewhere(patience);
    CHECK(fs::status(file.path()).permissions() == fs::perms{0660});
}

TEST_CASE_FIXTURE(Folder,
                  "a link that takes the file's place at the wrong moment leads to no other")
{
    const auto path = make_socket("s");
    const auto link = this->path() / "link";
    const auto victim = this->path() / "victim";
    std::ofstream{victim}.put('\n');
    fs::permissions(victim, fs::perms::owner_read);
    fs::create_symlink(victim, link);
    const SocketFile file{path.string()};

    // Whoever has been given the file may do that, also in a sticky folder.
    std::atomic<bool> is_over = false;
    std::atomic<unsigned> exchanges = 0;
    std::thread other{[&] {
        for (; !is_over; ++exchanges)
            ::renameat2(AT_FDCWD, path.c_str(), AT_FDCWD, link.c_str(), RENAME_EXCHANGE);
    }};
    const auto end = std::chrono::steady_clock::now() + patience;
    while (exchanges < 100'000 && std::chrono::steady_clock::now() < end)
        file.set_rights({.mode = 0666, .owner = {.user = ::geteuid()}});
    is_over = true;
    other.join();
    CHECK(fs::status(victim).permissions() == fs::perms::owner_read);
}

TEST_CASE_FIXTURE(Folder, "without a descriptor to keep its socket by, the file is removed at once")
{
    const auto path = (TempDir::path() / "s").string();
    const auto listener = listen_on(sys::SocketAddress::unix_path(path));
    const ScopedFdLimit none{0};
    CHECK_THROWS_AS(std::ignore = SocketFile(path, listener.fd.get()), std::system_error);
    CHECK_FALSE(fs::exists(path));
}

TEST_CASE("an object without a file removes nothing")
{
    const SocketFile file;
}

TEST_SUITE_END();

} // namespace usher::socket_file_test
