// SPDX-License-Identifier: MIT
#include "balancer/listen/socket_lock.hpp"

#include "balancer/listen/listening_socket.hpp"
#include "tests/support/fds.hpp"
#include "tests/support/no_fd_leak.hpp"
#include "tests/support/sockets.hpp"
#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <tuple>
#include <vector>

#include <sys/stat.h>
#include <unistd.h>

namespace usher::socket_lock_test {

using namespace usher::test;

namespace {

namespace fs = std::filesystem;

struct Fixture : NoFdLeak {
    TempDir folder;
    std::string socket = (folder.path() / "usher.sock").string();
    std::string file = socket + ".lock";

    /// Why there is no lock; empty if there is one.
    std::string refusal() const
    {
        try {
            const SocketLock lock{socket};
            return {};
        } catch (const AddressInUse& e) {
            return std::string{"in use: "} + e.what();
        } catch (const std::exception& e) {
            return e.what();
        }
    }

    std::string content() const
    {
        std::ifstream in{file};
        return {std::istreambuf_iterator<char>{in}, {}};
    }
};

} // namespace

TEST_SUITE_BEGIN("socket_lock");

TEST_CASE_FIXTURE(Fixture, "the file is its owner's alone, and goes with the lock")
{
    {
        const SocketLock lock{socket};
        struct stat status {};
        REQUIRE(::lstat(file.c_str(), &status) == 0);
        CHECK((status.st_mode & 07777) == 0600);
        CHECK(content().starts_with(std::to_string(::getpid()) + " "));
    }
    CHECK_FALSE(fs::exists(file));
}

TEST_CASE_FIXTURE(Fixture, "a second one is refused and told who has the first, until that ends")
{
    {
        const SocketLock first{socket};
        CHECK(refusal() == "in use: " + socket + ": this usher itself is steered there");
        std::ofstream{file} << "1\n";
        CHECK(refusal() == "in use: " + socket + ": another usher (pid 1) is steered there");
        std::ofstream{file} << "";
        CHECK(refusal() == "in use: " + socket + ": another usher is steered there");
    }
    CHECK(refusal() == "");
}

TEST_CASE_FIXTURE(Fixture, "what a killed master left behind is in nobody's way")
{
    std::ofstream{file} << "123456789012345678901234567890";
    ::chmod(file.c_str(), 0600);
    const SocketLock lock{socket};
    CHECK(content().starts_with(std::to_string(::getpid()) + " "));
}

TEST_CASE_FIXTURE(Fixture, "a lock whose file somebody has removed can be had again")
{
    const SocketLock lock{socket};
    CHECK(lock.is_there());
    fs::remove(file);
    CHECK_FALSE(lock.is_there());
    const SocketLock again{socket};
    CHECK(again.is_there());
    CHECK_FALSE(lock.is_there());
}

TEST_CASE_FIXTURE(Fixture, "a symbolic link is not followed, and nothing is made where it points")
{
    const auto target = folder.path() / "target";
    fs::create_symlink(target, file);
    CHECK(refusal() == file + ": is a symbolic link, but must be a file of ours; remove it");
    CHECK_FALSE(fs::exists(target));

    std::ofstream{target} << "precious";
    CHECK(refusal() != "");
    std::ifstream in{target};
    CHECK(std::string{std::istreambuf_iterator<char>{in}, {}} == "precious");
    CHECK(fs::is_symlink(file));
}

TEST_CASE_FIXTURE(Fixture, "a second name of somebody's file, a pipe and a folder are refused")
{
    const auto precious = folder.write("precious", "precious");
    fs::create_hard_link(precious, file);
    CHECK(refusal() == file + ": is no file of ours alone; remove it");
    CHECK(content() == "precious");
    fs::remove(file);

    REQUIRE(::mkfifo(file.c_str(), 0600) == 0);
    CHECK(refusal() == file + ": is no file of ours alone; remove it");
    fs::remove(file);

    fs::create_directory(file);
    CHECK(refusal() == file + ": is a folder, but must be a file of ours; remove it");
    fs::remove(file);

    std::ignore = listen_on(sys::SocketAddress::unix_path(file));
    CHECK(refusal() == file + ": is a socket, but must be a file of ours; remove it");
}

TEST_CASE_FIXTURE(Fixture, "another user's file is refused" * doctest::skip(::geteuid() != 0))
{
    std::ofstream{file} << "";
    REQUIRE(::chown(file.c_str(), 65'534, 65'534) == 0);
    CHECK(refusal() == file + ": belongs to user 65534; remove it");

    // In a folder that is everybody's and sticky, the kernel may refuse before we do.
    ::chmod(folder.path().c_str(), 01777);
    CHECK(refusal().starts_with(file + ": "));
    CHECK(content().empty());
}

TEST_CASE_FIXTURE(Fixture,
                  "a folder that we may not write to is named" * doctest::skip(::geteuid() != 0))
{
    REQUIRE(::chmod(folder.path().c_str(), 0755) == 0);
    REQUIRE(::seteuid(65'534) == 0);
    const auto text = refusal();
    REQUIRE(::seteuid(0) == 0);
    CHECK(text == socket + ": usher's user (uid 65534) may make no file in " +
                      folder.path().string() + ": Permission denied");
}

TEST_CASE_FIXTURE(Fixture, "a folder that is missing is named")
{
    CHECK_THROWS_AS(SocketLock{"/no/such/folder/usher.sock"}, std::system_error);
}

TEST_CASE_FIXTURE(Fixture, "never do two hold it, however many try and however often it is removed")
{
    std::atomic<int> holders{0};
    std::atomic<int> most{0};
    std::atomic<int> times{0};
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 4; ++i)
            threads.emplace_back([&] {
                while (times < 500)
                    try {
                        const SocketLock lock{socket};
                        if (++holders > 1)
                            most = 2;
                        ++times;
                        --holders;
                    } catch (const AddressInUse&) {
                        std::this_thread::yield();
                    }
            });
    }
    CHECK(most == 0);
    CHECK_FALSE(fs::exists(file));
}

TEST_SUITE_END();

} // namespace usher::socket_lock_test
