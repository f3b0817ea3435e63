// SPDX-License-Identifier: MIT
#include "tests/support/config_file.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/load.hpp"
#include "tests/support/process_facts.hpp"
#include "tests/support/start_gate.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/support/usher_process.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <future>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

namespace usher::control_test {

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
    usher.wait_until_ready(4);
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

TEST_CASE("before the only workers that serve are taken away, those that stay must serve")
{
    ConfigFile config;
    // A program that the worker of slot 1 can start only once.
    const std::string once =
        "test $USHER_SLOT = 2 || { test ! -e \"$1\" && : >\"$1\"; } || exit 1; "
        "exec \"$0\"";
    config.pool["command"] = {"/bin/sh", "-c", once, demo_program(), config.in_folder("started")};
    config.write();
    UsherProcess usher{config.run()};
    usher.wait_until_ready(2);
    CHECK(usher.command({"drain", "1"}).code == 0);
    usher.wait_for("worker 1 (pid " + std::to_string(usher.worker_pid(1)) + "): exited");

    CHECK(usher.command({"scale", "1"}).code == 1);
    usher.signal(SIGTTOU);
    usher.wait_for_count("worker 1: failed 1 time in a row; last", 2);
    config.pool["workers"] = 1;
    config.pool["max_queue"] = 7; // which replaces nobody
    config.write();
    CHECK(usher.command({"reload"}).code == 1);
    CHECK(get(usher.port(), "/").ok());

    std::filesystem::remove(config.in_folder("started"));
    CHECK(usher.command({"scale", "1"}).code == 0);
    CHECK(get(usher.port(), "/").ok());
    CHECK(eventually([&] { return children_of(usher.pid()).size() == 1; })); // the other one drains
}

TEST_CASE("SIGTTIN and SIGTTOU add and remove one worker")
{
    UsherProcess usher{run_demo(1)};
    usher.wait_until_ready(1);
    usher.signal(SIGTTIN);
    usher.wait_for("scaled from 1 to 2 workers");
    usher.signal(SIGTTOU);
    usher.wait_for("scaled from 2 to 1 worker");
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
    usher.wait_until_ready(4);
    CHECK(usher.worker_pid(2) != second);
    CHECK(usher.worker_pid(1) == first);
    CHECK(usher.command({"restart", "all"}).code == 0);
    usher.wait_until_ready(7);
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
           {"restart", {{"first_delay", "10ms"}, {"give_up_after", 2}, {"give_up", "exit"}}}}}}};
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

TEST_CASE("a slot that is still starting can be named, and has its turn then")
{
    ConfigFile config;
    StartGate gate;
    config.pool["command"] = gate.command();
    config.pool["workers"] = 1;
    config.write();
    UsherProcess usher{config.run()};
    gate.let_start(1);
    usher.wait_until_ready(1);

    const auto in_background = [&](std::vector<std::string> arguments) {
        return std::async(std::launch::async, [&usher, arguments = std::move(arguments)] {
            return usher.command(arguments);
        });
    };
    auto scaled = in_background({"scale", "3"});
    usher.wait_for("worker 3 (pid ");
    auto drained = in_background({"drain", "2"});
    auto restarted = in_background({"restart", "3"});
    const auto beyond = usher.command({"drain", "4"});
    CHECK(beyond.code == 2);
    CHECK(beyond.output == "usher: there is no slot 4, the last one is 3\n");
    gate.let_start(3);
    CHECK(scaled.get().code == 0);
    const auto answer = drained.get();
    CHECK(answer.code == 0);
    CHECK(answer.output.find("worker 2 drained") != std::string::npos);
    CHECK(restarted.get().code == 0);
}

TEST_CASE("who has named a slot that does not come about is told so")
{
    ConfigFile config;
    StartGate gate;
    config.pool["workers"] = 1;
    config.write();
    UsherProcess usher{config.run()};
    usher.wait_until_ready(1);
    config.pool["command"] = gate.command();
    config.pool["workers"] = 2;
    config.pool["start_timeout"] = "2s";
    config.write();
    auto reload = std::async(std::launch::async, [&] { return usher.command({"reload"}); });
    usher.wait_for("worker 2 (pid ");
    const auto refused = usher.command({"restart", "2"});
    CHECK(refused.code == 1);
    CHECK(refused.output.ends_with("usher: there is no such slot any more\n"));
    CHECK(reload.get().code == 1);
}

TEST_CASE("stop returns when the master has ended, its connections served")
{
    UsherProcess usher{run_demo(2)};
    usher.wait_until_ready(2);
    HttpClient slow{usher.port()};
    slow.send_get("/slow?ms=700");
    CHECK(get(usher.port(), "/").ok()); // so the slow one has been taken

    const auto result = usher.command({"stop"});
    CHECK(result.code == 0);
    CHECK(result.output.find("draining") != std::string::npos);
    CHECK(result.output.ends_with("\nstopped\n"));
    CHECK(slow.has_answer());
    CHECK(slow.read_answer().body == "slow\n");
    CHECK(state_of(usher.pid()) == 'Z'); // waits for its parent, us
    CHECK(usher.wait() == usher::sys::ExitStatus{});
}

TEST_CASE("stop --now does not let connections finish, stop --no-wait returns before they have")
{
    UsherProcess usher{run_demo(1)};
    usher.wait_until_ready(1);
    HttpClient open{usher.port()};
    open.send_get("/slow?ms=60000");
    CHECK(usher.command({"stop", "--no-wait"}).code == 0);
    usher.wait_for("draining, ");
    CHECK(state_of(usher.pid()) != 'Z');
    CHECK(usher.command({"stop", "--now"}).code == 0); // also when it is stopping already
    CHECK(state_of(usher.pid()) == 'Z');
    CHECK(usher.wait() == usher::sys::ExitStatus{});
}

TEST_CASE("two who stop the same master both see its end")
{
    UsherProcess usher{run_demo(1)};
    usher.wait_until_ready(1);
    HttpClient open{usher.port()};
    open.send_get("/slow?ms=1000");
    UsherProcess first{{"stop", "--control", usher.control_path()}};
    first.wait_for("draining the workers");
    CHECK(usher.command({"stop"}).code == 0);
    CHECK(first.wait() == usher::sys::ExitStatus{});
}

TEST_CASE("without a master every command says so, exit code 4")
{
    for (const char* const command : {"status", "reload", "stop", "events"}) {
        UsherProcess client{{command, "--control", "/nowhere/usher.sock"}};
        CHECK(client.wait() == usher::sys::ExitStatus{.by_signal = false, .code = 4});
        CHECK(client.count("no master answers at /nowhere/usher.sock") == 1);
    }
}

TEST_CASE("without --control every default place is looked at, and named" *
          doctest::skip(::geteuid() != 0))
{
    const TempDir folder;
    const auto in_own_run = [&](const std::function<void()>& more) {
        return [&, more] {
            ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
            ::mount("none", "/run", "tmpfs", 0, nullptr);
            ::unsetenv("XDG_RUNTIME_DIR");
            ::unsetenv("SUDO_UID");
            more();
        };
    };
    UsherProcess status{{"status"},
                        in_own_run([&] {
                            ::setenv("XDG_RUNTIME_DIR", folder.path().c_str(), 1);
                            ::setenv("SUDO_UID", "12", 1);
                        }),
                        {},
                        CLONE_NEWNS};
    CHECK(status.wait() == usher::sys::ExitStatus{.by_signal = false, .code = 4});
    CHECK(status.log() == "usher: no master answers at " + folder.path().string() +
                              "/usher.sock: No such file or directory, nor at "
                              "/run/user/12/usher.sock: No such file or directory, nor at "
                              "/run/usher.sock: No such file or directory; is it running, with "
                              "another --control?\n");

    // What a login has made is found from where its variable is not set.
    UsherProcess master{run_demo(1)};
    master.wait_until_ready(1);
    UsherProcess found{{"status"},
                       in_own_run([&] {
                           ::mkdir("/run/user", 0755);
                           ::mkdir("/run/user/0", 0700);
                           std::ignore =
                               ::symlink(master.control_path().c_str(), "/run/user/0/usher.sock");
                       }),
                       {},
                       CLONE_NEWNS};
    CHECK(found.wait() == usher::sys::ExitStatus{});
    CHECK(found.count("pool default") == 1);
}

TEST_CASE("the control socket is its owner's, and goes with its master")
{
    UsherProcess usher{run_demo(1)};
    usher.wait_until_ready(1);
    struct stat status {};
    REQUIRE(::stat(usher.control_path().c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);
    CHECK(usher.stop() == usher::sys::ExitStatus{});
    CHECK_FALSE(std::filesystem::exists(usher.control_path()));
    CHECK_FALSE(std::filesystem::exists(usher.control_path() + ".lock"));
}

TEST_SUITE_END();

} // namespace usher::control_test
