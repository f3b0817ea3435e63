// SPDX-License-Identifier: MIT
#include "tests/support/fds.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/support/usher_process.hpp"

#include <doctest/doctest.h>

#include <array>
#include <csignal>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <unistd.h>

namespace usher::two_masters_test {

using namespace usher::test;
using namespace std::chrono_literals;

namespace {

constexpr usher::sys::ExitStatus refused{.by_signal = false, .code = 2};

/// Starts several masters with one control socket; all stand behind a gate until they may run.
class Race {
public:
    Race(std::size_t count, const std::string& control)
    {
        auto gate = make_pipe();
        for (std::size_t i = 0; i < count; ++i)
            masters.push_back(std::make_unique<UsherProcess>(
                run_demo(1),
                [&gate] {
                    gate.writer.reset();
                    char byte = 0;
                    std::ignore = ::read(gate.reader.get(), &byte, 1); // until it is closed
                },
                control));
    }

    std::vector<std::unique_ptr<UsherProcess>> masters;
};

std::string sentence(const std::string& control, pid_t pid)
{
    return control + ": another usher (pid " + std::to_string(pid) +
           ") is steered there; stop it, or choose another path with --control";
}

} // namespace

TEST_SUITE_BEGIN("two_masters");

TEST_CASE("a second master is told who the first is, and the first goes on")
{
    UsherProcess first{run_demo(1)};
    first.wait_until_ready(1);
    UsherProcess second{run_demo(1), {}, first.control_path()};
    CHECK(second.wait() == refused);
    CHECK(second.count("usher: " + sentence(first.control_path(), first.pid())) == 1);
    CHECK(second.count("listening") == 0); // it has begun nothing
    CHECK(first.command({"status"}).code == 0);
    CHECK(get(first.port(), "/").ok());
}

TEST_CASE("of masters that start at one moment exactly one gets the control socket")
{
    const TempDir folder;
    const auto control = (folder.path() / "control").string();
    std::filesystem::permissions(folder.path(),
                                 std::filesystem::perms::all | std::filesystem::perms::sticky_bit);
    for (int round = 0; round < 20; ++round) {
        CAPTURE(round);
        Race race{3, control};
        UsherProcess* winner = nullptr;
        std::size_t losers = 0;
        // Whoever is up lives on, so that those who end are those who were refused.
        while (losers < race.masters.size() - 1)
            for (auto& master : race.masters) {
                if (!master)
                    continue;
                const auto log = master->log();
                if (log.find("is steered there") != std::string::npos) {
                    CHECK(master->wait() == refused);
                    master.reset();
                    ++losers;
                } else if (log.find(": ready after") != std::string::npos) {
                    REQUIRE((winner == nullptr || winner == master.get()));
                    winner = master.get();
                }
            }
        for (auto& master : race.masters)
            if (master)
                winner = master.get();
        winner->wait_until_ready(1);

        UsherProcess client{{"status", "--control", control}};
        CHECK(client.wait() == usher::sys::ExitStatus{});
        CHECK(client.count("master pid " + std::to_string(winner->pid())) == 1);

        // Every other round leaves a stale socket and a stale lock file to the next.
        winner->signal(round % 2 == 0 ? SIGKILL : SIGTERM);
        winner->wait();
        CHECK(std::filesystem::exists(control) == (round % 2 == 0));
        CHECK(std::filesystem::exists(control + ".lock") == (round % 2 == 0));
    }
}

TEST_CASE("a master that still drains has the control socket; its end frees it at once")
{
    UsherProcess first{run_demo(1)};
    first.wait_until_ready(1);
    HttpClient slow{first.port()};
    slow.send_get("/slow?ms=60000");
    const auto control = first.control_path();
    CHECK(first.command({"stop", "--no-wait"}).code == 0);
    {
        UsherProcess early{run_demo(1), {}, control};
        CHECK(early.wait() == refused);
    }
    CHECK(first.command({"stop", "--now"}).code == 0);
    UsherProcess second{run_demo(1), {}, control};
    second.wait_until_ready(1);
    UsherProcess client{{"status", "--control", control}};
    CHECK(client.wait() == usher::sys::ExitStatus{});
}

TEST_CASE("workers that outlive a killed master do not hold its lock")
{
    UsherProcess first{run_demo(1)};
    first.wait_until_ready(1);
    HttpClient slow{first.port()};
    slow.send_get("/slow?ms=60000");    // its worker lives on as long as that
    CHECK(get(first.port(), "/").ok()); // now it has been taken
    const auto worker = first.worker_pid(1);
    first.signal(SIGKILL);
    first.wait();
    CHECK(::kill(worker, 0) == 0);

    UsherProcess second{run_demo(1), {}, first.control_path()};
    second.wait_until_ready(1);
    ::kill(worker, SIGKILL);
}

TEST_CASE("a symbolic link in the lock's place is refused, and nothing is made where it points")
{
    const TempDir folder;
    const auto control = (folder.path() / "control").string();
    const auto target = folder.path() / "target";
    std::filesystem::create_symlink(target, control + ".lock");
    UsherProcess usher{run_demo(1), {}, control};
    CHECK(usher.wait() == usher::sys::ExitStatus{.by_signal = false, .code = 1});
    CHECK(usher.count(control + ".lock: is a symbolic link") == 1);
    CHECK_FALSE(std::filesystem::exists(target));
}

TEST_SUITE_END();

} // namespace usher::two_masters_test
