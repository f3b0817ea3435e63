// SPDX-License-Identifier: MIT
#include "balancer/dialect/notify/inbox_folder.hpp"

#include "common/async/closing_thread.hpp"
#include "tests/support/fds.hpp"
#include "tests/support/no_fd_leak.hpp"
#include "tests/support/nobody.hpp"
#include "tests/support/sockets.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/support/touch.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <iterator>
#include <set>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace usher::inbox_folder_test {

using namespace usher::test;
namespace fs = std::filesystem;

namespace {

struct Fixture : NoFdLeak {
    TempDir parent;
    const std::string root = parent.path().string();
    InboxFolder folder;

    Fixture()
    {
        ::setenv("RUNTIME_DIRECTORY", (root + ":/nowhere").c_str(), 1);
        REQUIRE(::chmod(root.c_str(), 0711) == 0);
    }
    Fixture(const Fixture&) = delete;
    Fixture& operator=(const Fixture&) = delete;
    ~Fixture() { ::unsetenv("RUNTIME_DIRECTORY"); }

    /// The path of a new socket's file.
    std::string make(SocketFile& file)
    {
        CHECK(folder.make_socket(::geteuid(), file));
        return file.path();
    }
    /// Where there was one, which is gone by now.
    std::string make()
    {
        std::string path;
        {
            SocketFile file;
            path = make(file);
        }
        finish_elsewhere(std::chrono::seconds{10});
        return path;
    }

    /// One with a socket's file in it.
    std::string make_left(const std::string& name, mode_t mode = 0711,
                          const std::string& file = "1") const // NOLINT(modernize-use-nodiscard)
    {
        auto path = root + "/" + name;
        REQUIRE(::mkdir(path.c_str(), mode) == 0);
        REQUIRE(::chmod(path.c_str(), mode) == 0);
        std::ignore = listen_on(sys::SocketAddress::unix_path(path + '/' + file));
        return path;
    }
};

} // namespace

TEST_SUITE_BEGIN("inbox_folder");

TEST_CASE_FIXTURE(Fixture, "each socket has a file of its own, and at the end nothing is left")
{
    SocketFile first;
    SocketFile second;
    CHECK(make(first).starts_with(root + "/usher-inbox-"));
    CHECK(make(second) != first.path());
    struct stat facts {};
    REQUIRE(::stat(first.path().c_str(), &facts) == 0);
    CHECK((facts.st_mode & 07777) == 0600);
    folder.remove();
    CHECK(fs::is_empty(root));
}

TEST_CASE_FIXTURE(Fixture, "files that threads remove meanwhile are no reason to leave it")
{
    for (int i = 0; i < 50; ++i) {
        {
            std::vector<SocketFile> files(32);
            for (auto& file : files)
                make(file);
        }
        folder.remove();
        CHECK(fs::is_empty(root));
        finish_elsewhere(std::chrono::seconds{10});
    }
}

TEST_CASE_FIXTURE(Fixture, "a folder that somebody has removed is made anew")
{
    const auto before = fs::path{make()}.parent_path();
    fs::remove_all(before);
    SocketFile file;
    CHECK(fs::path{make(file)}.parent_path() != before);
    CHECK(file.is_there());
    folder.remove();
    CHECK(fs::is_empty(root));
}

TEST_CASE_FIXTURE(Fixture, "nor is somebody else's taken that has its name by now")
{
    const auto before = fs::path{make()}.parent_path();
    fs::remove_all(before);
    fs::create_directory(before);
    CHECK(fs::path{make()}.parent_path() != before);
    CHECK(fs::is_empty(before));
}

TEST_CASE_FIXTURE(Fixture, "what there was no descriptor for is made when there is one")
{
    SocketFile file;
    {
        const ScopedFdLimit none{0};
        CHECK_THROWS_AS(std::ignore = folder.make_socket(::geteuid(), file), std::runtime_error);
    }
    CHECK(fs::is_empty(root));
    make(file);
}

TEST_CASE_FIXTURE(Fixture, "several at once share the folder")
{
    std::vector<std::future<SocketFile>> making;
    for (int i = 0; i < 8; ++i)
        making.push_back(std::async(std::launch::async, [this] {
            SocketFile file;
            std::ignore = folder.make_socket(::geteuid(), file);
            return file;
        }));
    std::set<std::string> paths;
    for (auto& each : making)
        paths.insert(each.get().path());
    CHECK(paths.size() == 8);
    CHECK(std::distance(fs::directory_iterator{root}, {}) == 1);
}

TEST_CASE_FIXTURE(Fixture, "root makes it where workers of other users can enter")
{
    REQUIRE(::chmod(root.c_str(), 0700) == 0);
    CHECK(make().starts_with(root) == (::geteuid() != 0));
}

TEST_CASE_FIXTURE(Fixture, "what a dead one has left is removed, and nothing else")
{
    const auto dead = make_left("usher-inbox-abcdef");
    const auto alive = make_left("usher-inbox-ghijkl");
    const std::vector theirs{make_left("usher-inbox-mnopqr", 0755),
                             make_left("usher-inbox-operator"), make_left("usher-backup"),
                             make_left("usher-inbox-backup", 0711, "control"),
                             make_left("usher-inbox-dumped")};
    touch(theirs.back() + "/2"); // no socket
    fs::create_symlink(theirs.front(), root + "/usher-inbox-stuvwx");
    const sys::UniqueFd lock{::open(alive.c_str(), O_RDONLY | O_CLOEXEC)};
    REQUIRE(::flock(lock.get(), LOCK_EX) == 0);
    make();
    CHECK_FALSE(fs::exists(dead));
    CHECK(fs::exists(alive + "/1"));
    for (const auto& folder_of_theirs : theirs) {
        CAPTURE(folder_of_theirs);
        CHECK_FALSE(fs::is_empty(folder_of_theirs));
    }
    CHECK(fs::exists(theirs.back() + "/1"));
}

TEST_CASE_FIXTURE(Fixture, "root makes none where another user could exchange it")
{
    if (::geteuid() != 0)
        return;
    constexpr uid_t nobody = 65'534;
    REQUIRE(::chown(root.c_str(), nobody, nobody) == 0);
    CHECK_FALSE(make().starts_with(root));
}

TEST_CASE_FIXTURE(Fixture, "a folder whose name is too long is passed over")
{
    ::setenv("RUNTIME_DIRECTORY", (root + "/" + std::string(100, 'x')).c_str(), 1);
    fs::create_directory(root + "/" + std::string(100, 'x'));
    CHECK_FALSE(make().starts_with(root));
}

TEST_CASE_FIXTURE(Fixture, "who cannot give a file away says so")
{
    if (!can_run_as_nobody({}))
        return;
    const pid_t child = ::fork();
    if (child == 0) {
        become_nobody();
        try {
            SocketFile file;
            std::ignore = folder.make_socket(0, file);
        } catch (const std::runtime_error&) {
            ::_exit(0);
        }
        ::_exit(1);
    }
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
}

TEST_SUITE_END();

} // namespace usher::inbox_folder_test
