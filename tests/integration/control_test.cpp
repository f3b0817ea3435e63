// SPDX-License-Identifier: MIT
#include "tests/support/eventually.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/load.hpp"
#include "tests/support/process_facts.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/support/usher_process.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <csignal>
#include <filesystem>

#include <sys/stat.h>

using namespace usher::test;
using namespace std::chrono_literals;

TEST_SUITE_BEGIN("control");

TEST_CASE("status shows pools and workers, for people and as JSON")
{
    UsherProcess usher{run_demo(2)};
    usher.wait_until_ready(2);
    CHECK(get(usher.port(), "/").ok());

    const auto text = usher.command({"status"});
    CHECK(text.code == 0);
    CHECK(text.output.find("pool default, serving, generation 1, 1 handed off") !=
          std::string::npos);

    const auto result = usher.command({"status", "--json"});
    CHECK(result.code == 0);
    const auto status = nlohmann::json::parse(result.output);
    const auto& pool = status.at("pools").at(0);
    CHECK(status.at("pid") == usher.pid());
    CHECK(pool.at("listening").at(0) == "127.0.0.1:" + std::to_string(usher.port()));
    CHECK(pool.at("workers").at(0).at("pid") == usher.worker_pid(1));
    CHECK(pool.at("workers").at(0).at("state") == "ready");
    CHECK(pool.at("workers").at(0).at("handed_off") == 1);
    CHECK(status.at("events").at("ready") == 2);
}

TEST_CASE("scale adds workers that are ready, and drains those that are too many")
{
    UsherProcess usher{run_demo(2)};
    usher.wait_until_ready(2);
    const auto port = usher.port();
    Load load{port, 4};

    CHECK(usher.command({"scale", "4"}).code == 0);
    CHECK(usher.count(": ready after") == 4);
    CHECK(children_of(usher.pid()).size() == 4);
    CHECK(usher.command({"scale", "-3"}).code == 0);
    CHECK(eventually([&] { return children_of(usher.pid()).size() == 1; }));
    CHECK(usher.command({"scale", "+1"}).code == 0);
    CHECK(children_of(usher.pid()).size() == 2);

    CHECK(usher.command({"scale", "0"}).code == 2);
    CHECK(usher.command({"scale", "many"}).code == 2);
    CHECK(usher.command({"scale", "2", "--pool", "other"}).code == 2);
    load.stop();
    CAPTURE(load.first_problem());
    CHECK(load.problems() == 0);
}

TEST_CASE("SIGTTIN and SIGTTOU add and remove one worker")
{
    UsherProcess usher{run_demo(1)};
    usher.wait_until_ready(1);
    usher.signal(SIGTTIN);
    usher.wait_for("scaled from 1 to 2 workers");
    usher.signal(SIGTTOU);
    usher.wait_for("scaled from 2 to 1 workers");
    CHECK(eventually([&] { return children_of(usher.pid()).size() == 1; }));
    usher.signal(SIGTTOU);
    usher.wait_for("is not scaled");
    CHECK(get(usher.port(), "/").ok());
}

TEST_CASE("restart replaces one worker or all, the successor ready before the old one drains")
{
    UsherProcess usher{run_demo(3)};
    usher.wait_until_ready(3);
    Load load{usher.port(), 4};
    const auto first = usher.worker_pid(1);
    const auto second = usher.worker_pid(2);

    CHECK(usher.command({"restart", "2"}).code == 0);
    CHECK(usher.worker_pid(2) != second);
    CHECK(usher.worker_pid(1) == first);
    CHECK(usher.command({"restart", "all"}).code == 0);
    CHECK(usher.worker_pid(1) != first);
    CHECK(usher.command({"restart", "4"}).code == 2);

    load.stop();
    CAPTURE(load.first_problem());
    CHECK(load.problems() == 0);
    CHECK(eventually([&] { return children_of(usher.pid()).size() == 3; }));
}

TEST_CASE("restart brings back a slot that has failed")
{
    const TempDir folder;
    const auto repaired = (folder.path() / "repaired").string();
    const nlohmann::json config{
        {"pools",
         {{{"command",
            {"/bin/sh", "-c", "test $USHER_SLOT = 1 -o -e \"$1\" && exec \"$0\"", demo_program(),
             repaired}},
           {"workers", 2},
           {"listen", "127.0.0.1:0"},
           {"start_attempts", 100},
           {"restart", {{"first_delay", "10ms"}, {"give_up_after", 2}}}}}}};
    UsherProcess usher{{"run", "--config", folder.write("usher.json", config.dump()).string()}};
    usher.wait_for("worker 2: failed 3 times in a row, given up");
    CHECK(usher.command({"restart", "2"}).code == 1);

    std::ignore = folder.write("repaired", "");
    CHECK(usher.command({"restart", "2"}).code == 0);
    const auto port = usher.port();
    CHECK(get(port, "/").slot() + get(port, "/").slot() == 3);
}

TEST_CASE("drain lets a worker finish and leaves its slot empty until it is restarted")
{
    UsherProcess usher{run_demo(2)};
    usher.wait_until_ready(2);
    const auto port = usher.port();
    HttpClient slow{port};
    slow.send_get("/slow?ms=500"); // slot 1's

    CHECK(get(port, "/").slot() == 2);
    CHECK(usher.command({"drain", "1"}).code == 0);
    CHECK(slow.read_answer().body == "slow\n");
    for (int i = 0; i < 4; ++i)
        CHECK(get(port, "/").slot() == 2);
    CHECK(usher.command({"drain", "3"}).code == 2);

    CHECK(usher.command({"restart", "1"}).code == 0);
    CHECK(get(port, "/").slot() + get(port, "/").slot() == 3);
}

TEST_CASE("stop drains and ends, and stop --now does not wait")
{
    {
        UsherProcess usher{run_demo(2)};
        usher.wait_until_ready(2);
        CHECK(usher.command({"stop"}).code == 0);
        CHECK(usher.wait() == usher::sys::ExitStatus{});
    }
    UsherProcess usher{run_demo(1)};
    usher.wait_until_ready(1);
    HttpClient open{usher.port()};
    open.send_get("/slow?ms=60000");
    CHECK(usher.command({"stop", "--now"}).code == 0);
    CHECK(usher.wait(5s) == usher::sys::ExitStatus{});
}

TEST_CASE("events are streamed as they happen")
{
    UsherProcess usher{run_demo(1)};
    usher.wait_until_ready(1);
    UsherProcess events{{"events", "--json", "--control", usher.control_path()}};
    // The first event that is seen proves that the subscription stands.
    while (events.count("\"event\":\"scaled\"") == 0)
        REQUIRE(usher.command({"scale", usher.count("ready after") % 2 == 1 ? "2" : "1"}).code ==
                0);
    CHECK(usher.command({"restart", "1"}).code == 0);
    events.wait_for("\"event\":\"fork\"");
    events.wait_for("\"event\":\"disconnect\"");
    events.wait_for("\"event\":\"exit\"");
    const auto line = nlohmann::json::parse(events.wait_for("\"event\":\"fork\""));
    CHECK(line.at("type") == "event");
    CHECK(line.at("slot").get<int>() >= 1);
    usher.stop();
    CHECK(events.wait() == usher::sys::ExitStatus{});
}

TEST_CASE("without a master every command says so, exit code 4")
{
    for (const char* const command : {"status", "reload", "stop", "events"}) {
        UsherProcess client{{command, "--control", "/nowhere/usher.sock"}};
        CHECK(client.wait() == usher::sys::ExitStatus{.by_signal = false, .code = 4});
        CHECK(client.count("no master answers at /nowhere/usher.sock") == 1);
    }
}

TEST_CASE("the control socket is its owner's, goes with its master, and is never taken over")
{
    UsherProcess usher{run_demo(1)};
    usher.wait_until_ready(1);
    struct stat status {};
    REQUIRE(::stat(usher.control_path().c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);

    UsherProcess second{
        {"run", "--listen", "127.0.0.1:0", "--", demo_program()}, {}, usher.control_path()};
    CHECK(second.wait() == usher::sys::ExitStatus{.by_signal = false, .code = 2});

    CHECK(usher.stop() == usher::sys::ExitStatus{});
    CHECK_FALSE(std::filesystem::exists(usher.control_path()));
}

TEST_CASE("garbage on the control socket is answered with a reason and harms nobody")
{
    UsherProcess usher{run_demo(1)};
    usher.wait_until_ready(1);
    struct Case {
        std::string request;
        std::string answer;
    };
    const Case cases[]{
        {"garbage\n", "a request is one JSON object on one line"},
        {"[]\n", "a request is one JSON object on one line"},
        {"{\"command\":\"dance\"}\n", "\\\"dance\\\" is no command"},
        {"{\"command\":7}\n", "is no command"},
        {"{\"command\":\"restart\",\"slot\":-1}\n", "must be a number"},
        {std::string(10, '[') + std::string(10, ']') + "\n", "a request is one JSON object"},
    };
    for (const auto& [request, answer] : cases) {
        HttpClient client{usher.control_path()}; // a plain byte stream is all that is needed
        client.send(request);
        CHECK(client.read_line().find(answer) != std::string::npos);
    }
    {
        HttpClient flood{usher.control_path()};
        CHECK_THROWS([&] {
            for (int i = 0; i < 1000; ++i)
                flood.send(std::string(4096, 'x'));
        }());
    }
    CHECK(usher.command({"status"}).code == 0);
    CHECK(get(usher.port(), "/").ok());
}

TEST_SUITE_END();
