// SPDX-License-Identifier: MIT
// Workers to which nobody connects: a queue and those who work it off.
#include "tests/support/config_file.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/process_facts.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace usher::none_test {

using namespace usher::test;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

const auto success = usher::sys::ExitStatus{};

/// A pool of tests/none/queue_worker.py, and its queue.
struct Site : ConfigFile {
    explicit Site(unsigned workers, const std::vector<std::string>& steps = {},
                  const json& more = json::object())
    {
        std::filesystem::create_directory(in_folder("queue"));
        std::vector<std::string> command{
            python_program(), source_folder() + "/tests/none/queue_worker.py", in_folder("queue")};
        command.insert(command.end(), steps.begin(), steps.end());
        pool["command"] = command;
        pool["dialect"] = "none";
        pool["workers"] = workers;
        pool["restart"] = {{"first_delay", "10ms"}};
        if (!more.contains("ready"))
            pool["start_delay"] = "100ms";
        pool.erase("listen");
        pool.update(more);
        write();
    }

    void put(const std::string& name) const { std::ofstream{in_folder("queue/" + name)}; }
    [[nodiscard]] std::size_t done() const
    {
        const std::filesystem::directory_iterator queue{in_folder("queue")};
        return static_cast<std::size_t>(std::ranges::count_if(
            queue, [](const auto& entry) { return entry.path().extension() == ".done"; }));
    }
};

json pool_status(const UsherProcess& usher, std::size_t pool = 0)
{
    return json::parse(usher.command({"status", "--json"}).output).at("pools").at(pool);
}

} // namespace

TEST_SUITE_BEGIN("none");

TEST_CASE("workers without a port work their queue off, are shown without figures, and end")
{
    const Site site{3};
    UsherProcess usher{site.run()};
    usher.wait_until_ready(3);
    for (int i = 0; i < 20; ++i)
        site.put(std::to_string(i) + ".job");
    CHECK(eventually([&] { return site.done() == 20; }));

    const auto pool = pool_status(usher);
    CHECK(pool.at("state") == "serving");
    CHECK(pool.at("dialect") == "none");
    CHECK(pool.at("listening").empty());
    for (const char* unknown : {"handed_off", "reclaimed", "closed_as_suspect"})
        CHECK(pool.at(unknown).is_null());
    for (const char* unknown : {"handed_off", "queued", "open"})
        CHECK(pool.at("workers").at(0).at(unknown).is_null());
    const auto text = usher.command({"status"}).output;
    CHECK(text.find("pool default, serving, generation 1, without connections\n  slot") !=
          std::string::npos);
    CHECK(text.find("unknown") == std::string::npos);
    CHECK(usher.count("listening on") == 0);
    CHECK(usher.stop() == success);
    CHECK(usher.count("): SIGTERM") == 3);
    CHECK(usher.count("open") == 0);
    CHECK(usher.log().find("done") != std::string::npos);
}

TEST_CASE("the command line takes such a pool, and refuses to listen for it")
{
    const Site site{1};
    const auto program = source_folder() + "/tests/none/queue_worker.py";
    UsherProcess usher{{"run", "--dialect", "none", "--workers", "1", "--", python_program(),
                        program, site.in_folder("queue")}};
    usher.wait_until_ready(1); // after a second
    CHECK(usher.stop() == success);

    UsherProcess refused{{"run", "--listen", "0", "--dialect", "none", "--", "true"}};
    refused.wait_for("--listen: has no effect with --dialect none");
    CHECK(refused.wait() == usher::sys::ExitStatus{.by_signal = false, .code = 2});
}

TEST_CASE("one that has to finish its job is given stop_grace for it, from one signal on")
{
    Site site{1, {}, {{"stop_grace", "1m"}, {"drain_timeout", "0s"}}};
    UsherProcess usher{site.run()};
    usher.wait_until_ready(1);
    site.put("slow.job");
    usher.wait_for("claimed slow");
    usher.signal(SIGTERM);
    usher.wait_for("): SIGTERM");
    CHECK(site.done() == 0);
    site.put("go");
    CHECK(usher.wait() == success);
    CHECK(site.done() == 1);
    CHECK(usher.count("): SIGTERM") == 1);
    CHECK(usher.count("SIGKILL") == 0);
}

TEST_CASE("one that does not end is killed after stop_grace")
{
    const Site site{1, {"deaf"}, {{"stop_grace", "100ms"}}};
    UsherProcess usher{site.run()};
    usher.wait_until_ready(1);
    usher.wait_for("at work");
    CHECK(usher.stop() == success);
    CHECK(usher.count("SIGKILL to its process group") == 1);
}

TEST_CASE("with ready: notify READY=1 makes it ready, and time does not")
{
    const Site site{1,
                    {"notify=STATUS=warming up", "gate", "notify=READY=1|STATUS=at work"},
                    {{"ready", "notify"}}};
    UsherProcess usher{site.run()};
    usher.wait_for("started");
    CHECK(eventually(
        [&] { return pool_status(usher)["workers"][0].value("says", "") == "warming up"; }));
    CHECK(pool_status(usher).at("state") == "starting");
    site.put("go");
    usher.wait_until_ready(1);
    CHECK(pool_status(usher)["workers"][0]["says"] == "at work");
    CHECK(usher.stop() == success);
}

TEST_CASE("one whose watchdog falls silent hangs, and is replaced")
{
    const Site site{1,
                    {"notify=READY=1", "notify=WATCHDOG=1"},
                    {{"ready", "notify"}, {"stall_timeout", "1s"}, {"hang_signal", "KILL"}}};
    UsherProcess usher{site.run()};
    usher.wait_for("hangs, because");
    usher.wait_until_ready(2);
    CHECK(environment_of(usher.worker_pid(1)).count("WATCHDOG_USEC") == 1);
}

TEST_CASE("one that says that it stops gets no signal, and drain_timeout to do it in")
{
    const Site site{1,
                    {"notify=READY=1", "gate", "notify=STOPPING=1", "deaf"},
                    {{"ready", "notify"}, {"drain_timeout", "300ms"}, {"stop_grace", "100ms"}}};
    UsherProcess usher{site.run()};
    usher.wait_until_ready(1);
    site.put("go");
    usher.wait_for("says that it stops");
    usher.wait_for("draining, for up to 300ms");
    usher.wait_for("SIGKILL to its process group");
    usher.wait_for_count("started", 2);
}

TEST_CASE("one that dies is started again, and a pool of those that never live is given up")
{
    const Site site{2};
    UsherProcess usher{site.run()};
    usher.wait_until_ready(2);
    REQUIRE(::kill(usher.worker_pid(1), SIGKILL) == 0);
    usher.wait_until_ready(3);
    CHECK(usher.count("next start in") == 1);

    const Site bad{1, {"crash"}, {{"start_attempts", 3}, {"start_delay", "10s"}}};
    UsherProcess looping{bad.run()};
    CHECK(looping.wait() == usher::sys::ExitStatus{.by_signal = false, .code = 1});
    CHECK(looping.count("exited with code 3") >= 3);
    CHECK(looping.count(" started") == 3);
    CHECK(looping.count("ready after") == 0); // it did not live for start_delay
    CHECK(looping.count("no worker was ever ready of pool \"default\"") >= 1);
}

TEST_CASE(
    "one that dies after it was ready is started later each time, and its pool counts as failed")
{
    Site site{1, {}, {{"start_delay", "0s"}}};
    site.pool["command"] = {"/bin/sh", "-c", "sleep 0.1; exit 3"};
    site.pool["restart"] = {{"first_delay", "1ms"}, {"longest_delay", "4ms"}, {"give_up_after", 4}};
    site.write();
    UsherProcess usher{site.run()};
    usher.wait_for("worker 1: failed 5 times in a row; it is tried again every 4ms until it works");
    CHECK(eventually([&] { return pool_status(usher)["state"] == "failed"; }));
    CHECK(usher.stop() == success);
}

TEST_CASE("a rolling reload never has fewer workers than there are to be")
{
    Site site{3};
    UsherProcess usher{site.run()};
    usher.wait_until_ready(3);
    for (int i = 0; i < 30; ++i)
        site.put(std::to_string(i) + ".job");
    CHECK(usher.command({"reload"}).code == 0);
    CHECK(eventually([&] { return children_of(usher.pid()).size() == 3 && site.done() == 30; }));

    int ready = 0;
    int least = 3;
    int most = 0;
    std::istringstream lines{usher.log()};
    for (std::string line; std::getline(lines, line);) {
        ready += line.find(" ready after ") != std::string::npos ? 1 : 0;
        ready -= line.find("): SIGTERM") != std::string::npos ? 1 : 0;
        most = std::max(most, ready);
        if (most >= 3)
            least = std::min(least, ready);
    }
    CHECK(least == 3);
    CHECK(most == 4);
    CHECK(pool_status(usher)["workers"][0]["generation"] == 2);

    // A version that does not live for start_delay replaces nobody.
    site.pool["command"].push_back("crash");
    site.pool["start_delay"] = "10s"; // also on a busy machine
    site.write();
    CHECK(usher.command({"reload"}).code == 1);
    CHECK(children_of(usher.pid()).size() == 3);
    CHECK(pool_status(usher)["workers"][0]["generation"] == 2);
}

TEST_CASE("such a pool is scaled, drained and recycled like any other")
{
    Site site{1};
    UsherProcess usher{site.run()};
    usher.wait_until_ready(1);
    CHECK(usher.command({"scale", "3"}).code == 0);
    CHECK(children_of(usher.pid()).size() == 3);
    CHECK(usher.command({"scale", "1"}).code == 0);
    CHECK(eventually([&] { return children_of(usher.pid()).size() == 1; }));
    CHECK(usher.command({"drain", "1"}).code == 0);
    CHECK(children_of(usher.pid()).empty());
    CHECK(pool_status(usher)["state"] == "drained");
    CHECK(usher.command({"restart", "1"}).code == 0);
    CHECK(children_of(usher.pid()).size() == 1);

    site.pool["max_age"] = "200ms";
    site.write();
    CHECK(usher.command({"reload"}).code == 0);
    usher.wait_for("is replaced, because");
    CHECK(usher.stop() == success);
}

TEST_CASE("pools with and without connections share an usher, and no reload makes one the other")
{
    ConfigFile config;
    config.pool["name"] = "web";
    config.pool["workers"] = 1;
    Site site{1};
    site.pool["name"] = "jobs";
    config.more_pools = json::array({site.pool});
    config.write();
    UsherProcess usher{config.run()};
    usher.wait_until_ready(2);
    site.put("1.job");
    CHECK(get(usher.port(), "/").ok());
    CHECK(eventually([&] { return site.done() == 1; }));
    CHECK(usher.command({"send", "1", "--pool", "jobs"}).code == 1);
    CHECK(usher.command({"restart", "all", "--pool", "jobs"}).code == 0);
    CHECK(usher.command({"status"}).output.find("pool jobs, serving, generation 1, without") !=
          std::string::npos);

    config.more_pools[0]["dialect"] = "listen-fds";
    config.more_pools[0]["listen"] = "127.0.0.1:0";
    config.write();
    const auto refused = usher.command({"reload"});
    CHECK(refused.code == 3);
    CHECK(refused.output.find("the dialect of pool \"jobs\" cannot change from none to "
                              "listen-fds") != std::string::npos);
    config.more_pools.clear();
    config.write();
    CHECK(usher.command({"reload"}).code == 0);
    CHECK(get(usher.port(), "/").ok());
    CHECK(usher.stop() == success);
}

TEST_CASE("when the master is killed its workers get stop_signal")
{
    const Site site{2};
    UsherProcess usher{site.run()};
    usher.wait_until_ready(2);
    const std::vector workers{usher.worker_pid(1), usher.worker_pid(2)};
    usher.signal(SIGKILL);
    usher.wait();
    for (const auto worker : workers)
        CHECK(eventually([&] {
            const char state = usher::test::state_of(worker);
            return state == 0 || state == 'Z';
        }));
}

TEST_SUITE_END();

} // namespace usher::none_test
