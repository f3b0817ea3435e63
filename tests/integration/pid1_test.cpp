// SPDX-License-Identifier: MIT
#include "tests/support/eventually.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/one_pool.hpp"
#include "tests/support/process_facts.hpp"
#include "tests/support/usher_process.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace usher::pid1_test {

using namespace usher::test;
using usher::sys::ExitStatus;

namespace {

constexpr ExitStatus success{};
constexpr int namespaces = CLONE_NEWPID | CLONE_NEWNS;

/// False, with a message, where this process may make no namespaces.
bool can_be_pid_1()
{
    const pid_t pid = ::fork();
    if (pid == 0)
        ::_exit(::unshare(namespaces) == 0 ? 0 : 1);
    int status = 0;
    const bool can = ::waitpid(pid, &status, 0) == pid && status == 0;
    if (!can)
        MESSAGE("skipped: no PID namespace can be made here");
    return can;
}

/// For a child that is PID 1 of a namespace: a /proc that shows it.
void mount_proc()
{
    if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) < 0 ||
        ::mount("proc", "/proc", "proc", 0, nullptr) < 0)
        ::_exit(126);
}

UsherProcess start_as_pid_1(const std::vector<std::string>& arguments)
{
    return UsherProcess{arguments, mount_proc, {}, namespaces};
}

std::string make_fifo(const TempDir& folder, const char* name)
{
    auto path = (folder.path() / name).string();
    REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
    return path;
}

bool has_zombies(pid_t pid)
{
    const auto children = children_of(pid);
    return std::ranges::any_of(children, [](pid_t child) { return state_of(child) == 'Z'; });
}

} // namespace

TEST_SUITE_BEGIN("pid1");

TEST_CASE("as PID 1, usher reaps the orphans of its workers, quietly, and ends on SIGTERM")
{
    if (!can_be_pid_1())
        return;
    const TempDir folder;
    const auto fifo = make_fifo(folder, "fifo");
    // Three processes lose their parent, wait until the FIFO has a writer, and fail.
    const OnePool site{{{"command",
                         {"/bin/sh", "-c",
                          R"(for i in 1 2 3; do (setsid sh -c ': <"$0"; exit 7' "$0" &); done
                             exec "$1")",
                          fifo, demo_program()}}}};
    auto usher = start_as_pid_1(site.run());
    usher.wait_until_ready(1);
    CHECK(status_of(usher.pid(), "NSpid") == std::to_string(usher.pid()) + " 1");
    REQUIRE(eventually([&] { return children_of(usher.pid()).size() == 4; }));

    const usher::sys::UniqueFd writer{::open(fifo.c_str(), O_WRONLY | O_CLOEXEC)};
    CHECK(eventually([&] { return children_of(usher.pid()).size() == 1; }));
    CHECK_FALSE(has_zombies(usher.pid()));
    CHECK(get(usher.port(), "/").ok());
    CHECK(usher.count("code 7") == 0);

    CHECK(usher.stop() == success);
    CHECK(usher.count("exited with code 0") == 1); // the worker, seen by its own watcher
}

TEST_CASE("workers that die among orphans are seen, with what they died of")
{
    if (!can_be_pid_1())
        return;
    const OnePool site{{{"workers", 2},
                        {"command",
                         {"/bin/sh", "-c",
                          R"(for i in 1 2 3 4 5 6 7 8; do (setsid sh -c 'exit 7' &); done
                             exec "$0")",
                          demo_program()}}}};
    auto usher = start_as_pid_1(site.run());
    constexpr std::size_t rounds = 5;
    for (std::size_t round = 1; round <= rounds; ++round) {
        usher.wait_until_ready(2 * round);
        REQUIRE(eventually([&] { return children_of(usher.pid()).size() == 2; }));
        for (const auto worker : children_of(usher.pid()))
            ::kill(worker, SIGKILL);
    }
    usher.wait_until_ready(2 * (rounds + 1));
    CHECK(usher.count("killed by SIGKILL") == 2 * rounds);
    CHECK(eventually([&] { return !has_zombies(usher.pid()); }));
    CHECK(get(usher.port(), "/").ok());
    CHECK(usher.stop() == success);
}

TEST_CASE("a SIGTERM that PID 1 gets before it has read its configuration is not lost")
{
    if (!can_be_pid_1())
        return;
    const OnePool site{{}};
    const auto fifo = make_fifo(site.folder, "fifo.json");
    auto usher = start_as_pid_1({"run", "--config", fifo});
    {
        std::ofstream config{fifo}; // waits for the reader
        usher.signal(SIGTERM);
        config << std::ifstream{site.file}.rdbuf();
    }
    CHECK(usher.wait() == success);
    CHECK(usher.count("SIGTERM") >= 1);
}

TEST_CASE("signals that mean nothing to usher do not end PID 1")
{
    if (!can_be_pid_1())
        return;
    auto usher = start_as_pid_1(run_demo(1));
    usher.wait_until_ready(1);
    for (const int number : {SIGUSR2, SIGALRM, SIGPIPE, SIGCHLD})
        usher.signal(number);
    CHECK(get(usher.port(), "/").ok());
    CHECK(usher.stop() == success);
}

TEST_CASE("signals that were blocked and a SIGCHLD that was ignored at the start do not matter")
{
    UsherProcess usher{run_demo(1), [] {
                           ::signal(SIGCHLD, SIG_IGN);
                           sigset_t all;
                           ::sigfillset(&all);
                           ::sigprocmask(SIG_SETMASK, &all, nullptr);
                       }};
    usher.wait_until_ready(1);
    ::kill(usher.worker_pid(1), SIGKILL);
    usher.wait_until_ready(2);
    CHECK(usher.count("killed by SIGKILL") == 1);
    CHECK(usher.stop() == success);
}

TEST_SUITE_END();

} // namespace usher::pid1_test
