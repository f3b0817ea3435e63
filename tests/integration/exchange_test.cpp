// SPDX-License-Identifier: MIT
// What tests of Exchange show of decisions, shown of processes: nothing is lost when exchanging
// workers fails halfway, and the end comes whatever was under way.
#include "tests/support/config_file.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/load.hpp"
#include "tests/support/process_facts.hpp"
#include "tests/support/slack.hpp"
#include "tests/support/start_gate.hpp"
#include "tests/support/touch.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <future>
#include <sstream>

namespace usher::exchange_test {

using namespace usher::test;
using namespace std::chrono_literals;

namespace {

using Clock = std::chrono::steady_clock;

nlohmann::json whoami(std::uint16_t port)
{
    return nlohmann::json::parse(get(port, "/whoami").body);
}

/// The most processes of workers that there ever were, by the log.
int most_processes(const std::string& log)
{
    int now = 0;
    int most = 0;
    std::istringstream lines{log};
    for (std::string line; std::getline(lines, line);) {
        if (line.find("): started") != std::string::npos)
            most = std::max(most, ++now);
        const bool ended = line.find("): exited with") != std::string::npos ||
                           line.find("): killed by") != std::string::npos;
        now -= ended ? 1 : 0;
    }
    return most;
}

std::future<UsherProcess::CommandResult> ask(const UsherProcess& usher,
                                             std::vector<std::string> arguments)
{
    return std::async(std::launch::async, [&usher, arguments = std::move(arguments)] {
        return usher.command(arguments);
    });
}

/// The demo worker in all slots but `slot`, where `instead` is executed.
std::vector<std::string> demo_but_in(unsigned slot, const std::string& instead)
{
    return {"/bin/sh", "-c",
            "if test $USHER_SLOT = " + std::to_string(slot) + "; then exec " + instead +
                "; else exec \"$0\"; fi",
            demo_program()};
}

/// In `slot` a worker that takes longer than any test to become ready.
std::vector<std::string> slow_in(unsigned slot)
{
    return demo_but_in(slot, "\"$0\" --never-ready");
}

void check_served_by(UsherProcess& usher, int generation, std::size_t workers)
{
    for (std::size_t i = 0; i < 2 * workers; ++i)
        CHECK(whoami(usher.port()).at("generation") == generation);
    CHECK(eventually([&] { return children_of(usher.pid()).size() == workers; }));
}

} // namespace

TEST_SUITE_BEGIN("exchange");

TEST_CASE("without surge a new generation that crashes while it soaks gives the places back")
{
    for (const unsigned at_once : {1U, 2U}) {
        ConfigFile config;
        config.pool["workers"] = 3;
        config.pool["reload"] = {{"max_surge", 0}, {"max_unavailable", at_once}, {"soak", "1m"}};
        config.write();
        UsherProcess usher{config.run()};
        usher.wait_until_ready(3);
        auto reload = ask(usher, {"reload"});
        usher.wait_until_ready(6);
        ::kill(usher.worker_pid(2), SIGKILL);
        const auto result = reload.get();
        CAPTURE(result.output);
        CHECK(result.code == 5);
        check_served_by(usher, 1, 3);
        CHECK(most_processes(usher.log()) == 3);
        CHECK(usher.stop() == usher::sys::ExitStatus{});
    }
}

TEST_CASE("without surge a program that does not come up gives the places back")
{
    for (const unsigned at_once : {1U, 2U}) {
        ConfigFile config;
        config.pool["workers"] = 3;
        config.pool["reload"] = {{"max_surge", 0}, {"max_unavailable", at_once}};
        config.write();
        UsherProcess usher{config.run()};
        usher.wait_until_ready(3);
        Load load{usher.port(), 2};
        for (const auto& command :
             {std::vector<std::string>{"/bin/false"}, demo_but_in(3, "/bin/false")}) {
            config.pool["command"] = command;
            config.write();
            const auto result = usher.command({"reload"});
            CAPTURE(result.output);
            CHECK(result.code == 1);
            check_served_by(usher, 1, 3);
        }
        load.stop();
        CHECK(load.problems() == 0);
        CHECK(most_processes(usher.log()) == 3);
    }
}

TEST_CASE("SIGTERM ends a master that has no worker left")
{
    ConfigFile config;
    config.pool["start_attempts"] = 1;

    SUBCASE("after SIGWINCH")
    {
        UsherProcess usher{config.run(), [] { ::setsid(); }};
        usher.wait_until_ready(2);
        usher.signal(SIGWINCH);
        REQUIRE(eventually([&] { return children_of(usher.pid()).empty(); }));
        CHECK(usher.stop() == usher::sys::ExitStatus{});
    }
    SUBCASE("after every slot was drained")
    {
        UsherProcess usher{config.run()};
        usher.wait_until_ready(2);
        for (const auto* const slot : {"1", "2"})
            CHECK(usher.command({"drain", slot}).code == 0);
        CHECK(usher.stop() == usher::sys::ExitStatus{});
    }
}

namespace {

/// Two workers of a program that can serve as long as there is the file `up`, and soon counts as
/// failing else.
void depend(ConfigFile& config, const char* give_up)
{
    touch(config.in_folder("up"));
    config.pool["command"] = {"/bin/sh", "-c", "test -e \"$1\" && exec \"$0\"; exit 1",
                              demo_program(), config.in_folder("up")};
    config.pool["restart"] = {{"first_delay", "1ms"},
                              {"longest_delay", "20ms"},
                              {"give_up_after", 3},
                              {"give_up", give_up}};
    config.write();
}

nlohmann::json pool_of(const UsherProcess& usher, const std::string& name)
{
    const auto status = nlohmann::json::parse(usher.command({"status", "--json"}).output);
    const auto& pools = status.at("pools");
    return *std::ranges::find_if(pools, [&](const auto& pool) { return pool.at("name") == name; });
}

/// What the workers need goes away, and they with it.
void break_down(const ConfigFile& config, UsherProcess& usher)
{
    std::filesystem::remove(config.in_folder("up"));
    const auto pool = pool_of(usher, "default");
    for (const auto& worker : pool.at("workers"))
        ::kill(worker.at("pid").get<pid_t>(), SIGKILL);
}

} // namespace

TEST_CASE("a pool that has served comes back when what it needs does, however long that takes")
{
    ConfigFile config;
    depend(config, "never");
    UsherProcess usher{config.run()};
    usher.wait_until_ready(2);
    break_down(config, usher);
    usher.wait_for("worker 1: failed 4 times in a row; it is tried again every 20ms until it "
                   "works; last: the worker exited with code 1");
    usher.wait_for("worker 2: failed 4 times in a row; it is tried again every 20ms");
    CHECK(eventually([&] { return pool_of(usher, "default").at("state") == "failed"; }));
    CHECK(pool_of(usher, "default").at("workers").at(0).at("state") != "ready");
    HttpClient patient{usher.port()};
    patient.send_get("/");

    SUBCASE("and its clients have waited")
    {
        usher.wait_for_count("worker 1: next start in", 30); // far beyond what is a passing trouble
        touch(config.in_folder("up"));
        CHECK(patient.read_answer().ok());
        usher.wait_until_ready(4);
        CHECK(pool_of(usher, "default").at("state") == "serving");
        CHECK(usher.count("times in a row") == 2); // said once a slot
    }
    SUBCASE("a reload that mends it is not kept from it")
    {
        config.pool["command"] = {demo_program()};
        config.write();
        CHECK(usher.command({"reload"}).code == 0);
        CHECK(patient.read_answer().ok());
    }
    SUBCASE("and SIGTERM ends it meanwhile")
    {
        patient.close();
    }
    CHECK(usher.stop() == usher::sys::ExitStatus{});
}

TEST_CASE("with give_up exit a pool that fails for good ends usher, the other pools in order")
{
    ConfigFile config;
    depend(config, "exit");
    const auto path = config.in_folder("socket");
    config.more_pools = {{{"name", "other"},
                          {"command", {demo_program()}},
                          {"workers", 1},
                          {"listen", "unix:" + path}}};
    config.write();
    UsherProcess usher{config.run()};
    usher.wait_until_ready(3);
    HttpClient slow{path};
    slow.send_get("/slow?ms=500");
    CHECK(eventually([&] { return pool_of(usher, "other").at("handed_off") == 1; }));
    break_down(config, usher);
    CHECK(slow.read_answer().ok());
    CHECK(usher.wait().code == 1);
    CHECK(usher.count("given up; last: the worker exited with code 1") == 2);
    CHECK(usher.count("every worker of pool \"default\" has failed too often; last: ") == 1);
    CHECK(usher.count("stopped, as a pool has given up") == 1);
}

TEST_CASE("a reload does not go on after a stop")
{
    ConfigFile config;
    UsherProcess usher{config.run()};
    usher.wait_until_ready(2);

    SUBCASE("with a pool that it would add")
    {
        config.pool["command"] = {demo_program(), "--never-ready"};
        const auto path = config.in_folder("added");
        config.more_pools = {{{"name", "added"},
                              {"command", {demo_program()}},
                              {"workers", 1},
                              {"listen", "unix:" + path}}};
        config.write();
        auto reload = ask(usher, {"reload"});
        usher.wait_for("reload started");
        usher.wait_for_count("): started", 3);
        usher.signal(SIGTERM);
        CHECK(usher.wait() == usher::sys::ExitStatus{});
        CHECK(reload.get().code == 1);
        CHECK(usher.count("listening on unix:") == 0);
    }
    SUBCASE("that waits for its turn")
    {
        config.pool["command"] = {demo_program(), "--never-ready"};
        config.write();
        auto first = ask(usher, {"reload"});
        usher.wait_for_count("): started", 3); // now it has the pool's turn
        auto second = ask(usher, {"reload"});
        auto third = ask(usher, {"scale", "5"});
        usher.signal(SIGTERM);
        CHECK(usher.wait() == usher::sys::ExitStatus{});
        for (auto* const each : {&first, &second, &third})
            CHECK(each->get().code != 0);
        CHECK(usher.count("): started") == 3);
    }
    SUBCASE("on its way back")
    {
        config.pool["command"] = demo_but_in(2, "/bin/false");
        config.write();
        auto reload = ask(usher, {"reload"});
        usher.wait_for("worker 2: failed 1 time in");
        usher.signal(SIGTERM);
        CHECK(usher.wait() == usher::sys::ExitStatus{});
        CHECK(usher.count("given up") == 0); // the reload is, not the place
        CHECK(reload.get().code == 1);
    }
}

TEST_CASE("a successor that was ready and dies while others start fails the whole operation")
{
    ConfigFile config;
    config.pool["reload"] = {{"strategy", "all-at-once"}};
    config.write();
    UsherProcess usher{config.run()};
    usher.wait_until_ready(2);
    const auto port = usher.port();
    Load load{port, 2};

    SUBCASE("a reload")
    {
        config.pool["command"] = slow_in(2);
        config.write();
        auto reload = ask(usher, {"reload"});
        usher.wait_until_ready(3);
        ::kill(usher.worker_pid(1), SIGKILL);
        const auto result = reload.get();
        CAPTURE(result.output);
        CHECK(result.code == 1);
        CHECK(result.output.find("worker 1: the worker was killed by SIGKILL") !=
              std::string::npos);
        check_served_by(usher, 1, 2);
    }
    SUBCASE("a restart of all")
    {
        // The first generation came up at once; what is started from now on does not in slot 2.
        config.pool["command"] = {
            "/bin/sh", "-c",
            ("test $USHER_SLOT = 2 -a -e \"$1\" && exec \"$0\" --never-ready; "
             "exec \"$0\""),
            demo_program(), config.in_folder("slow")};
        config.write();
        CHECK(usher.command({"reload"}).code == 0);
        touch(config.in_folder("slow"));
        auto restart = ask(usher, {"restart", "all"});
        usher.wait_until_ready(5);
        ::kill(usher.worker_pid(1), SIGKILL);
        CHECK(restart.get().code == 1);
        check_served_by(usher, 2, 2);
    }
    SUBCASE("more workers")
    {
        config.pool["command"] = slow_in(4);
        config.write();
        CHECK(usher.command({"reload"}).code == 0);
        auto scale = ask(usher, {"scale", "4"});
        usher.wait_until_ready(5);
        ::kill(usher.worker_pid(3), SIGKILL);
        CHECK(scale.get().code == 1);
        check_served_by(usher, 2, 2);
    }
    SUBCASE("a new pool")
    {
        auto added = config.pool;
        added["name"] = "added";
        added["command"] = slow_in(2);
        config.more_pools = {added};
        config.pool["name"] = "default";
        config.write();
        auto reload = ask(usher, {"reload"});
        usher.wait_for("worker added/1 (pid ");
        usher.wait_for("): ready after");
        const auto line = usher.wait_for("worker added/1 (pid ");
        const auto begin = line.find("(pid ") + 5;
        const auto pid = std::stoi(line.substr(begin));
        usher.wait_for("worker added/1 (pid " + std::to_string(pid) + "): ready");
        ::kill(pid, SIGKILL);
        const auto result = reload.get();
        CAPTURE(result.output);
        CHECK(result.code == 1);
        CHECK(result.output.find("\"added\" is not added") != std::string::npos);
        CHECK(eventually([&] { return children_of(usher.pid()).size() == 2; }));
    }
    load.stop();
    CHECK(load.problems() == 0);
}

TEST_CASE("a reload whose added worker fails has changed nothing, as it says")
{
    ConfigFile config;
    UsherProcess usher{config.run()};
    usher.wait_until_ready(2);
    config.pool["workers"] = 3;
    config.pool["command"] = demo_but_in(3, "/bin/false");
    config.write();
    const auto result = usher.command({"reload"});
    CHECK(result.code == 1);
    usher.wait_for("reload failed, nothing has changed: ");
    check_served_by(usher, 1, 2);
    CHECK(
        usher.command({"reload", "--dry-run"}).output.find("generation 2 replaces generation 1") !=
        std::string::npos);
}

TEST_CASE("what replaces nobody does not soak, and holds up nobody")
{
    ConfigFile config;
    config.pool["reload"] = {{"soak", "1m"}};
    config.write();
    UsherProcess usher{config.run()};
    usher.wait_until_ready(2);
    config.pool["max_queue"] = 7;
    config.write();
    const auto start = Clock::now();
    CHECK(usher.command({"reload"}).code == 0);
    CHECK(usher.command({"scale", "1"}).code == 0);
    CHECK(Clock::now() - start < 20s);
}

TEST_CASE("who runs what could not be taken back gets another with the next reload")
{
    ConfigFile config;
    const auto gone = config.in_folder("gone");
    const std::vector<std::string> old{"/bin/sh", "-c", "test -e \"$1\" && exit 1; exec \"$0\"",
                                       demo_program(), gone};
    config.pool["command"] = old;
    config.write();
    UsherProcess usher{config.run()};
    usher.wait_until_ready(2);
    touch(gone);
    config.pool["command"] = demo_but_in(2, "/bin/false");
    config.write();
    const auto failed = usher.command({"reload"});
    CHECK(failed.code == 1);
    CHECK(failed.output.find("the old kind cannot be started again in slot 1, so "
                             "generation 2 stay") != std::string::npos);
    CHECK(failed.output.find("nothing has changed") == std::string::npos);

    std::filesystem::remove(gone);
    config.pool["command"] = old;
    config.pool["max_queue"] = 7;
    config.write();
    CHECK(usher.command({"reload", "--dry-run"})
              .output.find("the workers stay, with another in slot 1") != std::string::npos);
    CHECK(usher.command({"reload"}).code == 0);
    check_served_by(usher, 1, 2);
    config.pool["command"] = {demo_program()};
    config.write();
    CHECK(usher.command({"reload"}).code == 0);
    check_served_by(usher, 3, 2); // 2 was another program
}

TEST_CASE("a failed reload is no generation that drains, so it ends none")
{
    ConfigFile config;
    config.pool["reload"] = {{"strategy", "all-at-once"}, {"max_old_generations", 1}};
    config.write();
    UsherProcess usher{config.run()};
    usher.wait_until_ready(2);
    HttpClient slow{usher.port()};
    slow.send_get("/slow?ms=3000");
    CHECK(get(usher.port(), "/").ok());
    CHECK(get(usher.port(), "/").ok()); // now it has been taken
    CHECK(usher.command({"reload"}).code == 0);
    config.pool["command"] = demo_but_in(2, "/bin/false");
    config.write();
    CHECK(usher.command({"reload"}).code == 1);
    CHECK(slow.read_answer().ok());
    CHECK(usher.count("is ended early") == 0);
}

TEST_CASE("relative numbers are those of the moment when their turn comes")
{
    ConfigFile config;
    StartGate gate;
    config.pool["command"] = gate.command();
    config.write();
    UsherProcess usher{config.run()};
    gate.let_start(2);
    usher.wait_until_ready(2);
    auto first = ask(usher, {"scale", "+1"});
    auto second = ask(usher, {"scale", "+1"});
    usher.wait_for_count("): started", 3);
    gate.let_start(2);
    CHECK(first.get().code == 0);
    CHECK(second.get().code == 0);
    check_served_by(usher, 1, 4);
}

TEST_CASE("a place whose worker made room for another is starting, not drained")
{
    ConfigFile config;
    config.pool["workers"] = 1;
    config.pool["reload"] = {{"max_surge", 0}, {"max_unavailable", 1}};
    config.write();
    UsherProcess usher{config.run()};
    usher.wait_until_ready(1);
    config.pool["command"] = slow_in(1);
    config.write();
    auto reload = ask(usher, {"reload"});
    usher.wait_for_count("): started", 2);
    const auto status = nlohmann::json::parse(usher.command({"status", "--json"}).output);
    CHECK(status.at("pools").at(0).at("state") == "starting");
    CHECK(usher.stop() == usher::sys::ExitStatus{});
    CHECK(reload.get().code == 1);
}

TEST_SUITE_END();

TEST_SUITE_BEGIN("exchange: pools that give up");

namespace {

/// A pool that serves, and one whose program ends at once.
struct TwoPools {
    ConfigFile config;

    explicit TwoPools(unsigned attempts)
    {
        config.pool["name"] = "good";
        config.more_pools = {{{"name", "bad"},
                              {"command", {"/bin/false"}},
                              {"workers", 1},
                              {"start_attempts", attempts},
                              {"listen", "127.0.0.1:0"},
                              {"restart", {{"first_delay", "300ms"}}}}};
        config.write();
    }
};

} // namespace

TEST_CASE("a pool that has given up takes nothing but a reload")
{
    TwoPools two{1};
    UsherProcess usher{two.config.run()};
    usher.wait_until_ready(2);
    usher.wait_for("no worker was ever ready of pool \"bad\"");
    for (const auto& command : {std::vector<std::string>{"restart", "1", "--pool", "bad"},
                                {"scale", "+1", "--pool", "bad"},
                                {"drain", "1", "--pool", "bad"}}) {
        const auto result = usher.command(command);
        CHECK(result.code == 1);
        CHECK(result.output.find("pool \"bad\" has given up; a reload brings it back") !=
              std::string::npos);
    }
    two.config.more_pools[0]["command"] = {demo_program()};
    two.config.write();
    CHECK(usher.command({"reload"}).code == 0);
    usher.wait_for_count("listening on 127.0.0.1", 3);
    CHECK(get(usher.port(2), "/").ok());
    CHECK(usher.stop() == usher::sys::ExitStatus{});
}

TEST_CASE("a pool that gives up while a reload is busy with another is added again by it")
{
    TwoPools two{3};
    UsherProcess usher{two.config.run()};
    usher.wait_until_ready(2);
    StartGate gate;
    two.config.pool["command"] = gate.command();
    two.config.more_pools[0]["command"] = {demo_program()};
    two.config.write();
    auto reload = ask(usher, {"reload"});
    usher.wait_for("no worker was ever ready of pool \"bad\"");
    gate.let_start(2);
    const auto result = reload.get();
    CAPTURE(result.output);
    CHECK(result.code == 0);
    usher.wait_for_count("listening on 127.0.0.1", 3);
    CHECK(get(usher.port(2), "/").ok());
    CHECK(usher.stop() == usher::sys::ExitStatus{});
}

TEST_CASE("a reload that waits for its turn while usher stops touches nothing")
{
    ConfigFile config;
    config.pool["workers"] = 4;
    config.pool["command"] = {"/bin/sh", "-c",
                              ("test $USHER_SLOT -gt 2 -a -e \"$1\" && exec \"$0\" --never-ready; "
                               "exec \"$0\""),
                              demo_program(), config.in_folder("slow")};
    config.write();
    UsherProcess usher{config.run()};
    usher.wait_until_ready(4);
    CHECK(usher.command({"scale", "2"}).code == 0);
    touch(config.in_folder("slow"));
    auto scale = ask(usher, {"scale", "4"});
    usher.wait_for_count("): started", 6);
    config.pool["max_queue"] = 7;
    config.write();
    auto reload = ask(usher, {"reload"});
    usher.wait_for("reload started");
    CHECK(usher.stop() == usher::sys::ExitStatus{});
    CHECK(scale.get().code == 1);
    CHECK(reload.get().code == 1);
}

TEST_SUITE_END();

} // namespace usher::exchange_test
