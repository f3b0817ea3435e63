// SPDX-License-Identifier: MIT
// Programs that are told what happens to workers.
#include "tests/support/config_file.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/process_facts.hpp"
#include "tests/support/usher_process.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace usher::hooks_test {

using namespace usher::test;
using namespace std::chrono_literals;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

constexpr usher::sys::ExitStatus success{};

/// A pool of one worker, and what its hooks write into a file.
struct Setup : ConfigFile {
    Setup() { pool["workers"] = 1; }

    /// A hook that adds what it is told to `name`.
    [[nodiscard]] json notes(const std::string& name) const
    {
        return {"/bin/sh", "-c", "cat >> \"$0\"", in_folder(name)};
    }

    [[nodiscard]] std::vector<json> noted(const std::string& name) const
    {
        std::vector<json> events;
        std::ifstream in{in_folder(name)};
        for (std::string line; std::getline(in, line) && !in.eof();)
            events.push_back(json::parse(line));
        return events;
    }
};

} // namespace

TEST_SUITE_BEGIN("hooks");

TEST_CASE_FIXTURE(Setup, "a worker's end is told as JSON, also the last one's")
{
    pool["on"] = {{"exit", notes("exits")}};
    write();
    UsherProcess usher{run()};
    usher.wait_until_ready(1);
    const auto first = usher.worker_pid(1);
    ::kill(first, SIGKILL);
    REQUIRE(eventually([&] { return noted("exits").size() == 1; }));
    const auto event = noted("exits").front();
    CHECK(event.at("event") == "exit");
    CHECK(event.at("pool") == "default");
    CHECK(event.at("slot") == 1);
    CHECK(event.at("pid") == first);
    CHECK(event.at("message").get<std::string>().find("killed by SIGKILL") != std::string::npos);
    usher.wait_until_ready(2);
    CHECK(usher.stop() == success);
    CHECK(noted("exits").size() == 2);
}

TEST_CASE_FIXTURE(Setup, "a worker that hangs is told of, and so is one that has failed too often")
{
    pool["on"] = {{"stalled", notes("stalled")}, {"failed", notes("failed")}};
    pool["command"] = {"/bin/sh", "-c", "test -e \"$1\" && exit 3; exec \"$0\"", demo_program(),
                       in_folder("broken")};
    pool["stall_timeout"] = "3s";
    pool["hang_signal"] = "KILL";
    pool["restart"] = {{"first_delay", "10ms"}, {"longest_delay", "20ms"}, {"give_up_after", 1}};
    write();
    UsherProcess usher{run()};
    usher.wait_until_ready(1);
    std::ofstream{in_folder("broken")}.put('\n');
    ::kill(usher.worker_pid(1), SIGSTOP);
    REQUIRE(eventually([&] { return !noted("stalled").empty(); }, 60s));
    CHECK(noted("stalled").front().at("event") == "stalled");
    REQUIRE(eventually([&] { return !noted("failed").empty(); }, 60s));
    CHECK(noted("failed").front().at("event") == "gave-up");
    CHECK(noted("failed").front().at("slot") == 1);
}

TEST_CASE_FIXTURE(Setup, "what a hook writes and how it fails is in the log, and disturbs nobody")
{
    SUBCASE("that exits with an error")
    {
        pool["on"] = {{"exit", {"/bin/sh", "-c", "echo heard $LEVEL; pwd; exit 3"}}};
        pool["env"] = {{"LEVEL", "it in ${slot}"}};
        pool["cwd"] = "/usr";
        write();
        UsherProcess usher{run()};
        usher.wait_until_ready(1);
        ::kill(usher.worker_pid(1), SIGKILL);
        usher.wait_for("[default/1 on.exit] heard it in 1\n");
        usher.wait_for("[default/1 on.exit] /usr\n");
        usher.wait_for("warning: pool \"default\": on.exit (/bin/sh): exited with code 3");
        usher.wait_until_ready(2);
        CHECK(get(usher.port(), "/").ok());
    }
    SUBCASE("that is not there")
    {
        pool["on"] = {{"exit", {"/no/such/program"}}};
        write();
        UsherProcess usher{run()};
        usher.wait_until_ready(1);
        ::kill(usher.worker_pid(1), SIGKILL);
        usher.wait_for("on.exit (/no/such/program): cannot be started: /no/such/program");
        usher.wait_until_ready(2);
        CHECK(usher.stop() == success);
    }
}

TEST_CASE_FIXTURE(Setup,
                  "however often workers die, a few hooks run, and the end waits 5 s for them")
{
    pool["on"] = {{"exit", {"/bin/sh", "-c", "echo begun; exec sleep 1000"}}};
    pool["restart"] = {
        {"first_delay", "1ms"}, {"longest_delay", "1ms"}, {"give_up_after", 1'000'000}};
    pool["command"] = {"/bin/sh", "-c", "test -e \"$1\" && exit 3; exec \"$0\"", demo_program(),
                       in_folder("broken")};
    write();
    UsherProcess usher{run()};
    usher.wait_until_ready(1);
    std::ofstream{in_folder("broken")}.put('\n');
    ::kill(usher.worker_pid(1), SIGKILL);
    usher.wait_for_count("exited with code 3", 110, 100s);
    // A busy machine may have taken so long that some were ended, and others came after them.
    const auto at_once = [&] { return usher.count("begun") - usher.count("takes longer than "); };
    CHECK(at_once() <= 2);
    CHECK(usher.count("begun") >= 2);
    fs::remove(in_folder("broken"));
    usher.signal(SIGTERM);
    CHECK(usher.wait(30s) == success);
    CHECK(at_once() <= 2);
    CHECK(usher.count("is killed, because usher ends") <= 2);
    CHECK(usher.count("told to no hook, because usher ends") == 1);
}

TEST_CASE_FIXTURE(Setup, "a reload brings other hooks without replacing anybody")
{
    write();
    UsherProcess usher{run()};
    usher.wait_until_ready(1);
    const auto worker = usher.worker_pid(1);
    pool["on"] = {{"exit", notes("exits")}};
    write();
    CHECK(usher.command({"reload"}).code == 0);
    CHECK(usher.worker_pid(1) == worker);
    ::kill(worker, SIGKILL);
    CHECK(eventually([&] { return noted("exits").size() == 1; }));
}

TEST_CASE_FIXTURE(Setup, "the end of a removed pool's worker is told, after how many reloads ever")
{
    more_pools = json::array({{{"name", "other"},
                               {"command", {"/bin/sh", "-c", "trap '' TERM; exec sleep 1000"}},
                               {"dialect", "none"},
                               {"workers", 1},
                               {"start_delay", "50ms"},
                               {"stop_grace", "10m"},
                               {"on", {{"exit", notes("exits")}}}}});
    write();
    UsherProcess usher{run()};
    usher.wait_until_ready(2);
    const auto facts = json::parse(usher.command({"status", "--json"}).output);
    const auto worker = facts.at("pools").at(1).at("workers").at(0).at("pid").get<pid_t>();
    more_pools = json::array();
    for (int i = 0; i < 3; ++i) {
        write();
        CHECK(usher.command({"reload"}).code == 0);
    }
    CHECK(::kill(worker, 0) == 0);
    ::kill(worker, SIGKILL);
    REQUIRE(eventually([&] { return noted("exits").size() == 1; }));
    CHECK(noted("exits").front().at("pid") == worker);
}

TEST_SUITE_END();

} // namespace usher::hooks_test
