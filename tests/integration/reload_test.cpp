// SPDX-License-Identifier: MIT
#include "tests/support/config_file.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/load.hpp"
#include "tests/support/process_facts.hpp"
#include "tests/support/slack.hpp"
#include "tests/support/start_gate.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <csignal>
#include <filesystem>
#include <utility>

#include <sys/stat.h>

namespace usher::reload_test {

using namespace usher::test;
using namespace std::chrono_literals;

namespace {

using Clock = std::chrono::steady_clock;

nlohmann::json whoami(std::uint16_t port)
{
    return nlohmann::json::parse(get(port, "/whoami").body);
}

void check_clean(Load& load)
{
    load.wait_for(100);
    load.stop();
    CAPTURE(load.first_problem());
    CHECK(load.problems() == 0);
}

} // namespace

TEST_SUITE_BEGIN("reload");

TEST_CASE("3,000 requests of 10 clients during 20 reloads and more are all answered")
{
    for (const auto mode : {Load::Mode::new_connections, Load::Mode::keep_alive}) {
        const ConfigFile config;
        UsherProcess usher{config.run()};
        usher.wait_until_ready(2);
        Load load{usher.port(), 10, mode};

        int reloads = 0;
        while (reloads < 20 || (load.served() < 3'000 && load.problems() == 0)) {
            const auto result = usher.command({"reload"});
            CAPTURE(result.output);
            REQUIRE(result.code == 0);
            ++reloads;
        }
        check_clean(load);
        CHECK(whoami(usher.port()).at("generation") == reloads + 1);
        CHECK(usher.stop() == usher::sys::ExitStatus{});
    }
}

TEST_CASE("25 SIGHUPs in a hail are few reloads, all clean, and leave no process behind")
{
    const ConfigFile config;
    UsherProcess usher{config.run()};
    usher.wait_until_ready(2);
    Load load{usher.port(), 10};
    load.wait_for(50);

    for (int i = 0; i < 25; ++i) {
        usher.signal(SIGHUP);
        const auto pause = Clock::now() + std::chrono::milliseconds{i}; // the spacing is the test
        while (Clock::now() < pause)
            std::this_thread::yield();
    }
    usher.signal(SIGUSR1); // has a greater number, so it comes after them
    usher.wait_for("opening the log files anew");
    CHECK(usher.command({"reload"}).code == 0); // whose turn comes after theirs
    CHECK(eventually([&] { return children_of(usher.pid()).size() == 2; }));
    check_clean(load);
    const auto reloads = usher.count("reload started");
    CHECK(reloads <= 26);
    usher.wait_for_count("reload done", reloads);
    CHECK(children_of(usher.pid()).size() == 2);
}

TEST_CASE("signals that come while a reload is under way make one more reload, not many")
{
    ConfigFile config;
    UsherProcess usher{config.run()};
    usher.wait_until_ready(2);
    StartGate gate;
    config.pool["command"] = gate.command();
    config.write();

    usher.signal(SIGHUP);
    usher.wait_for("reload started");
    for (int i = 0; i < 10; ++i) {
        usher.signal(SIGHUP);
        usher.wait_for_count("SIGHUP: reload", static_cast<std::size_t>(i) + 2);
    }
    gate.let_start(4);
    usher.wait_for_count("reload done", 2);
    CHECK(usher.command({"status"}).code == 0);
    CHECK(usher.count("reload started") == 2);
}

TEST_CASE("a bad configuration is refused with file and place, and the old generation serves on")
{
    UsherProcess other{run_demo(1)};
    other.wait_until_ready(1);
    ConfigFile config;
    UsherProcess usher{config.run()};
    usher.wait_until_ready(2);
    const auto port = usher.port();
    Load load{port, 4};

    const auto refused = [&](std::string_view part) {
        const auto result = usher.command({"reload"});
        CAPTURE(result.output);
        CHECK(result.code == 3);
        CHECK(result.output.find(part) != std::string::npos);
    };
    config.write_text("{ this is not JSON");
    refused(config.path() + ": line 1, column 4");

    const auto good = config.pool;
    config.pool["wrokers"] = 3;
    config.write();
    refused(config.path() + ": /pools/0/wrokers: unknown key; did you mean \"workers\"?");

    config.pool = good;
    config.pool["listen"] = {"127.0.0.1:0", "127.0.0.1:" + std::to_string(other.port())};
    config.write();
    refused("127.0.0.1:" + std::to_string(other.port()) +
            ": another process listens there already");
    CHECK(whoami(port).at("generation") == 1);

    config.pool = good;
    config.write();
    CHECK(usher.command({"reload"}).code == 0);
    CHECK(whoami(port).at("generation") == 2);
    check_clean(load);
}

TEST_CASE("a new program that does not come up leaves the old generation serving, exit code 1")
{
    ConfigFile config;
    config.pool["start_timeout"] = "700ms";
    config.write();
    UsherProcess usher{config.run()};
    usher.wait_until_ready(2);
    const auto port = usher.port();
    Load load{port, 4};
    const auto old = whoami(port).at("generation");

    struct Case {
        std::vector<std::string> command;
        std::string reason;
    };
    const Case cases[]{{{"/bin/false"}, "exited with code 1 before it was ready"},
                       {{"/no/such/server"}, "/no/such/server: no such file"},
                       {{demo_program(), "--never-ready"}, "before it was ready"}};
    for (const auto strategy : {"rolling", "all-at-once"}) {
        for (const auto& [command, reason] : cases) {
            config.pool["command"] = command;
            config.pool["reload"] = {{"strategy", strategy}};
            config.write();
            const auto start = Clock::now();
            const auto result = usher.command({"reload"});
            CAPTURE(result.output);
            CHECK(result.code == 1);
            CHECK(result.output.find(reason) != std::string::npos);
            CHECK(Clock::now() - start < 700ms + slack);
            CHECK(whoami(port).at("generation") == old);
        }
    }
    check_clean(load);
    CHECK(eventually([&] { return children_of(usher.pid()).size() == 2; }));
}

TEST_CASE("a failure at a later slot brings the old generation back to the earlier ones")
{
    ConfigFile config;
    config.pool["workers"] = 3;
    config.write();
    UsherProcess usher{config.run()};
    usher.wait_until_ready(3);
    const auto port = usher.port();
    Load load{port, 4};

    config.pool["command"] = {"/bin/sh", "-c", "test $USHER_SLOT != 3 && exec \"$0\"",
                              demo_program()};
    config.write();
    const auto result = usher.command({"reload"});
    CHECK(result.code == 1);
    for (int i = 0; i < 6; ++i)
        CHECK(whoami(port).at("generation") == 1);
    check_clean(load);
    CHECK(eventually([&] { return children_of(usher.pid()).size() == 3; }));
}

TEST_CASE("a new generation that crashes while it soaks is rolled back by itself, exit code 5")
{
    for (const auto strategy : {"rolling", "all-at-once"}) {
        ConfigFile config;
        config.pool["reload"] = {{"strategy", strategy}, {"soak", "20s"}};
        config.write();
        UsherProcess usher{config.run()};
        usher.wait_until_ready(2);
        const auto port = usher.port();
        const auto first = usher.worker_pid(1);

        config.pool["command"] = {"/bin/sh", "-c", "(sleep 0.5; kill -9 $$$$) & exec \"$0\"",
                                  demo_program()};
        config.write();
        const auto start = Clock::now();
        const auto result = usher.command({"reload"});
        CAPTURE(result.output);
        CHECK(result.code == 5);
        CHECK(result.output.find("killed by SIGKILL") != std::string::npos);
        CHECK(Clock::now() - start < 4s + slack); // and not the 20 s
        for (int i = 0; i < 4; ++i)
            CHECK(whoami(port).at("generation") == 1);
        CHECK(state_of(first) != 0); // the very same process
        CHECK(eventually([&] { return children_of(usher.pid()).size() == 2; }));
    }
}

TEST_CASE("a request in flight completes on the old generation while new ones go to the new")
{
    const ConfigFile config;
    UsherProcess usher{config.run()};
    usher.wait_until_ready(2);
    const auto port = usher.port();
    HttpClient slow{port};
    slow.send("GET /whoami HTTP/1.1\r\nHost: te");
    for (int i = 0; i < 2; ++i) // now the slow one has been taken
        CHECK(get(port, "/").ok());

    CHECK(usher.command({"reload"}).code == 0);
    CHECK(whoami(port).at("generation") == 2);
    slow.send("st\r\nConnection: close\r\n\r\n");
    CHECK(nlohmann::json::parse(slow.read_answer().body).at("generation") == 1);
}

TEST_CASE("what needs no new workers replaces none: their number, limits, listeners")
{
    ConfigFile config;
    UsherProcess usher{config.run()};
    usher.wait_until_ready(2);
    const auto port = usher.port();
    const auto first = usher.worker_pid(1);
    const auto path = config.in_folder("added.sock");
    Load load{port, 4};

    config.pool["workers"] = 3;
    config.pool["max_queue"] = 32;
    config.pool["listen"] = {"127.0.0.1:0", "unix:" + path};
    config.write();
    const auto plan = usher.command({"reload", "--dry-run"});
    CHECK(plan.code == 0);
    CHECK(plan.output ==
          "pool \"default\": the workers stay, 3 workers instead of 2, opens unix:" + path + "\n");
    CHECK_FALSE(std::filesystem::exists(path));
    CHECK(usher.command({"reload"}).code == 0);
    CHECK(usher.worker_pid(1) == first);
    CHECK(whoami(port).at("generation") == 1);
    CHECK(children_of(usher.pid()).size() == 3);
    HttpClient added{path};
    added.send_get("/");
    CHECK(added.read_answer().ok());

    config.pool["workers"] = 2;
    config.pool["listen"] = {"127.0.0.1:0"};
    config.write();
    CHECK(usher.command({"reload"}).code == 0);
    CHECK(eventually([&] { return !std::filesystem::exists(path); })); // by a thread
    CHECK(usher.worker_pid(1) == first);
    check_clean(load);
    CHECK(eventually([&] { return children_of(usher.pid()).size() == 2; }));
}

TEST_CASE("a reload takes no scaling back, until the number in the file has changed")
{
    ConfigFile config;
    UsherProcess usher{config.run()};
    usher.wait_until_ready(2);
    const auto number = [&] { return children_of(usher.pid()).size(); };
    const auto in_status = [&](const char* key) {
        return nlohmann::json::parse(usher.command({"status", "--json"}).output)["pools"][0][key];
    };
    CHECK(usher.command({"scale", "4"}).code == 0);
    CHECK(in_status("scaled_to") == 4);

    const auto dry = usher.command({"reload", "--dry-run"});
    CHECK(dry.output.find("slot by slot, still scaled to 4 workers instead of 2") !=
          std::string::npos);
    CHECK(usher.command({"reload"}).code == 0); // a new generation, as no key has changed
    usher.wait_for("pool \"default\" stays scaled to 4 workers; the configuration still says 2");
    CHECK(eventually([&] { return number() == 4; }));
    CHECK(whoami(usher.port()).at("generation") == 2);

    config.pool["max_queue"] = 7; // another key is no word on the number
    config.write();
    usher.signal(SIGTTIN);
    usher.wait_for("scaled from 4 to 5 workers");
    CHECK(usher.command({"reload"}).code == 0);
    CHECK(number() == 5);

    config.pool["workers"] = 3;
    config.write();
    CHECK(usher.command({"reload", "--dry-run"}).output.find("3 workers instead of 5") !=
          std::string::npos);
    CHECK(usher.command({"reload"}).code == 0);
    usher.wait_for("scaled from 5 to 3 workers, as the configuration says since it has changed");
    CHECK(eventually([&] { return number() == 3; }));
    CHECK(in_status("scaled_to").is_null());
    CHECK(in_status("configured_workers") == 3);
}

TEST_CASE("a reload that fails leaves a scaling as it was, and a pool that comes again forgets it")
{
    ConfigFile config;
    config.pool["name"] = "web";
    config.more_pools = nlohmann::json::array({config.pool});
    config.more_pools[0]["name"] = "api";
    config.more_pools[0]["workers"] = 1;
    config.write();
    UsherProcess usher{config.run()};
    usher.wait_until_ready(3);
    CHECK(usher.command({"scale", "2", "--pool", "api"}).code == 0);
    CHECK(usher.command({"scale", "1", "--pool", "web"}).code == 0);

    const auto command = config.pool["command"];
    config.pool["command"] = {"/bin/false"};
    config.pool["workers"] = 3;
    const auto api = std::exchange(config.more_pools, nlohmann::json::array());
    config.write();
    CHECK(usher.command({"reload"}).code == 1);
    config.pool["command"] = command;
    config.pool["workers"] = 2;
    config.more_pools = api;
    config.write();
    CHECK(usher.command({"reload"}).code == 0);
    const auto pools = nlohmann::json::parse(usher.command({"status", "--json"}).output)["pools"];
    for (const auto& pool : pools) {
        if (pool["state"] == "stopping")
            continue;
        CAPTURE(pool["name"].dump());
        CHECK(pool["workers"].size() == 1);
        CHECK(pool["scaled_to"] == (pool["name"] == "web" ? nlohmann::json(1) : nlohmann::json()));
    }
}

TEST_CASE("a dry run waits for the reload under way, and blames nobody for what that has opened")
{
    ConfigFile config;
    config.pool["reload"] = {{"soak", "3s"}};
    config.write();
    UsherProcess usher{config.run()};
    usher.wait_until_ready(2);
    config.pool["listen"] = {"127.0.0.1:0", "unix:" + config.in_folder("added.sock")};
    config.pool["env"] = {{"NEW", "1"}};
    config.write();
    usher.signal(SIGHUP);
    usher.wait_until_ready(3); // it soaks
    const auto late = usher.command({"reload", "--dry-run", "--timeout", "100ms"});
    CHECK(late.code == 6);
    const auto plan = usher.command({"reload", "--dry-run"});
    CHECK(plan.code == 0);
    CAPTURE(plan.output);
    CHECK(plan.output.find("generation 3 replaces generation 2, slot by slot\n") !=
          std::string::npos);
    CHECK(usher.count("reload done") == 1);
}

TEST_CASE("a reload that waits for its file when usher is told to stop changes nothing")
{
    ConfigFile config;
    config.top["lame_duck"] = "5s";
    config.write();
    UsherProcess usher{config.run()};
    usher.wait_until_ready(2);
    std::filesystem::remove(config.path());
    REQUIRE(::mkfifo(config.path().c_str(), 0600) == 0);
    usher.signal(SIGHUP);
    usher.wait_for("reload started");
    usher.signal(SIGTERM);
    usher.wait_for("no longer ready");
    config.pool["env"] = {{"NEW", "1"}};
    config.write();
    usher.wait_for("reload failed, nothing has changed: usher is stopping");
    CHECK(whoami(usher.port()).at("generation") == 1);
    CHECK(usher.wait(60s) == usher::sys::ExitStatus{});
    CHECK(usher.count("generation 2") == 0);
}

TEST_CASE("a reload of several pools begins with none of them when usher has been told to stop")
{
    ConfigFile config;
    config.top["lame_duck"] = "3s";
    config.pool["name"] = "first";
    config.pool["reload"] = {{"soak", "1s"}};
    config.more_pools.push_back(config.pool);
    config.more_pools.back()["name"] = "second";
    config.write();
    UsherProcess usher{config.run()};
    usher.wait_until_ready(4);
    config.pool["env"] = {{"NEW", "1"}};
    config.more_pools.back()["env"] = {{"NEW", "1"}};
    config.write();
    usher.signal(SIGHUP);
    usher.wait_until_ready(5); // the first one soaks
    usher.signal(SIGTERM);
    usher.wait_for("pool \"second\" keeps its old generation: usher is stopping");
    CHECK(usher.wait(60s) == usher::sys::ExitStatus{});
}

TEST_CASE("with max_surge 0 there is never a worker above the configured number")
{
    ConfigFile config;
    config.pool["workers"] = 3;
    config.pool["reload"] = {{"max_surge", 0}, {"max_unavailable", 1}};
    config.write();
    UsherProcess usher{config.run()};
    usher.wait_until_ready(3);
    Load load{usher.port(), 4};
    load.wait_for(50);

    CHECK(usher.command({"reload"}).code == 0);
    CHECK(whoami(usher.port()).at("generation") == 2);
    check_clean(load);
}

TEST_SUITE_END();

} // namespace usher::reload_test
