// SPDX-License-Identifier: MIT
#include "balancer/dialect/notify/inbox_folder.hpp"

#include "tests/support/no_fd_leak.hpp"
#include "tests/support/nobody.hpp"
#include "tests/support/temp_dir.hpp"

#include <boost/asio/io_context.hpp>
#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

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
    boost::asio::io_context io;

    Fixture()
    {
        ::setenv("RUNTIME_DIRECTORY", (root + ":/nowhere").c_str(), 1);
        REQUIRE(::chmod(root.c_str(), 0711) == 0);
    }
    Fixture(const Fixture&) = delete;
    Fixture& operator=(const Fixture&) = delete;
    ~Fixture() { ::unsetenv("RUNTIME_DIRECTORY"); }

    InboxFolder& folder() { return InboxFolder::of(io.get_executor()); }

    /// One with a file in it.
    std::string make_left(const std::string& name,
                          mode_t mode = 0711) const // NOLINT(modernize-use-nodiscard)
    {
        const auto path = root + "/" + name;
        REQUIRE(::mkdir(path.c_str(), mode) == 0);
        REQUIRE(::chmod(path.c_str(), mode) == 0);
        std::ofstream{path + "/1"};
        return path;
    }
};

} // namespace

TEST_SUITE_BEGIN("inbox_folder");

TEST_CASE_FIXTURE(Fixture, "each socket has a file of its own, and at the end nothing is left")
{
    std::string first;
    std::string second;
    CHECK(folder().make_socket(::geteuid(), first));
    CHECK(folder().make_socket(::geteuid(), second));
    CHECK(first.starts_with(root + "/usher-"));
    CHECK(first != second);
    struct stat facts {};
    REQUIRE(::stat(first.c_str(), &facts) == 0);
    CHECK((facts.st_mode & 07777) == 0600);
    CHECK(folder().take_trouble() == "");
    folder().remove();
    CHECK(fs::is_empty(root));
    CHECK_FALSE(folder().make_socket(::geteuid(), first));
}

TEST_CASE_FIXTURE(Fixture, "root makes it where workers of other users can enter")
{
    REQUIRE(::chmod(root.c_str(), 0700) == 0);
    std::string path;
    CHECK(folder().make_socket(::geteuid(), path));
    CHECK(path.starts_with(root) == (::geteuid() != 0));
    folder().remove();
}

TEST_CASE_FIXTURE(Fixture, "what a dead one has left is removed, and nothing else")
{
    const auto dead = make_left("usher-abcdef");
    const auto alive = make_left("usher-ghijkl");
    const auto other_mode = make_left("usher-mnopqr", 0755);
    make_left("usher-configuration");
    fs::create_symlink(other_mode, root + "/usher-stuvwx");
    const sys::UniqueFd lock{::open(alive.c_str(), O_RDONLY | O_CLOEXEC)};
    REQUIRE(::flock(lock.get(), LOCK_EX) == 0);
    std::string path;
    CHECK(folder().make_socket(::geteuid(), path));
    CHECK_FALSE(fs::exists(dead));
    CHECK(fs::exists(alive + "/1"));
    CHECK(fs::exists(other_mode + "/1"));
    CHECK(fs::exists(root + "/usher-configuration/1"));
    folder().remove();
}

TEST_CASE_FIXTURE(Fixture, "a folder whose name is too long is passed over")
{
    ::setenv("RUNTIME_DIRECTORY", (root + "/" + std::string(100, 'x')).c_str(), 1);
    fs::create_directory(root + "/" + std::string(100, 'x'));
    std::string path;
    CHECK(folder().make_socket(::geteuid(), path));
    CHECK_FALSE(path.starts_with(root));
    folder().remove();
}

TEST_CASE_FIXTURE(Fixture, "who cannot give a file away says so once")
{
    if (!can_run_as_nobody({}))
        return;
    const pid_t child = ::fork();
    if (child == 0) {
        become_nobody();
        std::string path;
        const bool is_made = static_cast<bool>(folder().make_socket(0, path));
        const bool is_told = !folder().take_trouble().empty();
        ::_exit(!is_made && is_told && folder().take_trouble().empty() ? 0 : 1);
    }
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
}

TEST_SUITE_END();

} // namespace usher::inbox_folder_test
