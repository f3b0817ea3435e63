// SPDX-License-Identifier: MIT
// Workers that are not one process: shells, and what they have started.
#include "tests/support/config_file.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/process_facts.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <csignal>
#include <string>

namespace usher::group_test {

using namespace usher::test;
using namespace std::chrono_literals;
using nlohmann::json;
using Clock = std::chrono::steady_clock;

namespace {

const auto success = usher::sys::ExitStatus{};

/// One worker without a port that is `script`, a shell's.
struct Site : ConfigFile {
    explicit Site(const std::string& script, const json& more = json::object())
    {
        pool["command"] = {"/bin/sh", "-c", script};
        pool["dialect"] = "none";
        pool["workers"] = 1;
        if (!more.contains("ready"))
            pool["start_delay"] = "10ms";
        pool["restart"] = {{"first_delay", "10ms"}};
        pool.erase("listen");
        pool.update(more);
        write();
    }
};

/// A process of the shell's own that takes some time to end when it is told to, as long as a
/// request may take.
constexpr const char* server = R"((
    trap 'echo told; sleep 0.5; echo finished; exit 0' TERM
    echo up; while :; do sleep 0.05; done
))";

/// One that does not listen to signals.
constexpr const char* deaf = R"((trap "" TERM; echo up; while :; do sleep 0.05; done))";

} // namespace

TEST_SUITE_BEGIN("group");

TEST_CASE("who stands behind a shell hears the signal, and may finish although the shell has ended")
{
    for (const std::string& script : {std::string{server} + "; true",  // the shell waits for it
                                      std::string{server} + " & wait", // and does so by itself
                                      std::string{server} + " & sleep 99; true"}) {
        const Site site{script, {{"stop_grace", "20s"}}};
        UsherProcess usher{site.run()};
        usher.wait_for("] up");
        const auto group = usher.worker_pid(1);
        CHECK(usher.stop() == success);
        CHECK(usher.count("] told") == 1);
        CHECK(usher.count("] finished") == 1);
        CHECK(usher.count("SIGKILL") == 0);
        CHECK(usher.count("killed by SIGTERM") == 1);
        CHECK(eventually([&] { return !group_exists(group); }));
    }
}

TEST_CASE("what is left when its time is over is named and killed")
{
    const Site site{std::string{deaf} + "; true", {{"stop_grace", "300ms"}}};
    UsherProcess usher{site.run()};
    usher.wait_for("] up");
    const auto group = usher.worker_pid(1);
    CHECK(usher.stop() == success);
    CHECK(usher.count("has ended, and left") == 0); // it was told with the shell
    CHECK(usher.count("SIGKILL to its process group: sh (pid ") == 1);
    CHECK(eventually([&] { return !group_exists(group); }));

    const Site whole{"trap '' TERM; " + std::string{deaf} + "; true", {{"stop_grace", "300ms"}}};
    UsherProcess other{whole.run()};
    other.wait_for("] up");
    CHECK(other.stop() == success);
    CHECK(other.count("SIGKILL to its process group, with sh (pid ") == 1);
}

TEST_CASE("a shell that dies leaves no server behind, but one that may finish")
{
    const Site site{std::string{server} + "; true", {{"stop_grace", "20s"}}};
    UsherProcess usher{site.run()};
    usher.wait_for("] up");
    const auto group = usher.worker_pid(1);
    ::kill(group, SIGKILL);
    usher.wait_for("has ended, and left sh (pid ");
    usher.wait_for("] finished");
    usher.wait_for_count("] up", 2); // the next one
    CHECK(usher.count("] told") == 1);
    CHECK(usher.count("killed by SIGKILL") == 1);
    CHECK(eventually([&] { return !group_exists(group); }));
    CHECK(usher.stop() == success);
}

TEST_CASE("a shell that has ended by itself leaves its server the time to finish")
{
    const Site site{std::string{server} + " & sleep 0.3", {{"stop_grace", "20s"}}};
    UsherProcess usher{site.run()};
    usher.wait_for("] finished");
    usher.wait_for("exited with code 0");
    CHECK(usher.count("SIGKILL") == 0);
    usher.wait_for_count("] up", 2);
    CHECK(usher.stop() == success);
}

TEST_CASE("with stop_scope \"leader\" the others hear nothing before it has ended")
{
    const std::string leader = "trap 'echo leader; sleep 0.3; echo ends; exit 0' TERM; ";
    const auto order = [&](const char* scope) {
        const Site site{leader + server + " & while :; do sleep 0.05; done",
                        {{"stop_grace", "20s"}, {"stop_scope", scope}}};
        UsherProcess usher{site.run()};
        usher.wait_for("] up");
        CHECK(usher.stop() == success);
        CHECK(usher.count("] told") == 1);
        CHECK(usher.count("] finished") == 1);
        CHECK(usher.count("SIGKILL") == 0);
        const auto log = usher.log();
        return log.find("] ends") < log.find("] told");
    };
    CHECK(order("leader"));
    CHECK_FALSE(order("group"));
}

TEST_CASE("a second signal does not wait for what a shell has left either")
{
    const Site site{std::string{deaf} + "; true", {{"stop_grace", "1h"}}};
    UsherProcess usher{site.run()};
    usher.wait_for("] up");
    usher.signal(SIGTERM);
    usher.wait_for("SIGTERM");
    const auto start = Clock::now();
    usher.signal(SIGTERM);
    CHECK(usher.wait() == success);
    CHECK(Clock::now() - start < 20s);
    CHECK(usher.count("SIGKILL to its process group: sh (pid ") == 1);
}

TEST_CASE("a hung worker behind a shell gets the signal for that, too")
{
    const std::string script = R"((trap 'echo hung; exit 1' ABRT; echo up
        python3 -c 'import os, socket
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"READY=1\nWATCHDOG=1", os.environ["NOTIFY_SOCKET"])'
        while :; do sleep 0.05; done); true)";
    const Site site{script, {{"ready", "notify"}, {"stall_timeout", "3s"}}};
    UsherProcess usher{site.run()};
    usher.wait_for("] up");
    usher.wait_for("] hung");
    usher.wait_for("killed by SIGABRT");
    CHECK(usher.stop() == success);
}

TEST_CASE("a worker that leaves nobody behind is followed at once, whoever else has its number")
{
    const Site site{"echo up; sleep 0.05; exit 3", {{"stop_grace", "1h"}}};
    UsherProcess usher{site.run()};
    usher.wait_for_count("] up", 3);
    CHECK(usher.count("exited with code 3") >= 2);
    CHECK(usher.count("has ended, and left") == 0);
    CHECK(usher.stop() == success);
}

TEST_SUITE_END();

} // namespace usher::group_test
