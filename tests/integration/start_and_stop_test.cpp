// SPDX-License-Identifier: MIT
#include "tests/support/eventually.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/process_facts.hpp"
#include "tests/support/slack.hpp"
#include "tests/support/start_gate.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/support/usher_process.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <csignal>

#include <unistd.h>

namespace usher::start_and_stop_test {

using namespace usher::test;
using namespace std::chrono_literals;

namespace {

using Clock = std::chrono::steady_clock;

constexpr usher::sys::ExitStatus success{};
constexpr usher::sys::ExitStatus failure{.by_signal = false, .code = 1};

std::vector<std::string> run_config(const TempDir& folder, nlohmann::json pool)
{
    pool["listen"] = "127.0.0.1:0";
    const nlohmann::json config{{"pools", nlohmann::json::array({std::move(pool)})}};
    return {"run", "--config", folder.write("usher.json", config.dump()).string()};
}

} // namespace

TEST_SUITE_BEGIN("start_and_stop");

TEST_CASE("the start says what Node users expect: master, listeners, workers with pid and slot")
{
    UsherProcess usher{run_demo(2)};
    usher.wait_until_ready(2);

    usher.wait_for("master pid " + std::to_string(usher.pid()));
    usher.wait_for("listening on 127.0.0.1:");
    CHECK(usher.worker_pid(1) > 0);
    CHECK(usher.worker_pid(2) > 0);
    CHECK(children_of(usher.pid()).size() == 2);
}

TEST_CASE("SIGTERM and SIGINT drain: what is in flight completes, then everything is gone")
{
    for (const int number : {SIGTERM, SIGINT}) {
        UsherProcess usher{run_demo(2)};
        usher.wait_until_ready(2);
        const auto port = usher.port();
        HttpClient slow{port};
        slow.send_get("/slow?ms=600", false);
        HttpClient other{port}; // once this one is answered, the slow one has been taken
        other.send_get("/");
        CHECK(other.read_answer().ok());
        HttpClient again{port};
        again.send_get("/");
        CHECK(again.read_answer().ok());

        const std::vector workers{usher.worker_pid(1), usher.worker_pid(2)};
        usher.signal(number);
        const auto answer = slow.read_answer();
        CHECK(answer.body == "slow\n");
        CHECK(answer.header("Connection") == "close");
        CHECK(usher.wait() == success);
        for (const auto worker : workers)
            CHECK_FALSE(group_exists(worker));
        CHECK_THROWS(HttpClient{port}); // nobody listens any more
    }
}

TEST_CASE("clients in the backlog when the stop comes are served, not reset")
{
    UsherProcess usher{run_demo(2)};
    usher.wait_until_ready(2);
    const auto port = usher.port();

    usher.signal(SIGSTOP);
    REQUIRE(eventually([&] { return state_of(usher.pid()) == 'T'; }));
    std::vector<HttpClient> clients;
    for (int i = 0; i < 50; ++i)
        clients.emplace_back(port).send_get("/");
    usher.signal(SIGTERM);
    usher.signal(SIGCONT);

    for (auto& client : clients)
        CHECK(client.read_answer().ok());
    CHECK(usher.wait() == success);
}

TEST_CASE("a worker that ignores SIGTERM is killed after its grace, with its children")
{
    const TempDir folder;
    UsherProcess usher{run_config(
        folder,
        {{"command", {"/bin/sh", "-c", "sleep 1000 & exec \"$0\" --ignore-term", demo_program()}},
         {"workers", 1},
         {"drain_timeout", "200ms"},
         {"stop_grace", "300ms"}})};
    usher.wait_until_ready(1);
    const auto worker = usher.worker_pid(1);
    const auto idle = descriptors_of(worker).size();
    HttpClient open{usher.port()};
    open.send_get("/slow?ms=60000");
    REQUIRE(eventually([&] { return descriptors_of(worker).size() > idle; }));

    const auto start = Clock::now();
    CHECK(usher.stop() == success);
    CHECK(Clock::now() - start >= 500ms);
    usher.wait_for("worker 1 (pid " + std::to_string(worker) + "): draining, 0 queued and 1 open");
    usher.wait_for("SIGTERM, 1 still open");
    usher.wait_for("SIGKILL to its process group, 1 still open");
    CHECK(eventually([&] { return !group_exists(worker); }));
}

TEST_CASE("a second signal ends the wait for open connections")
{
    UsherProcess usher{run_demo(2)};
    usher.wait_until_ready(2);
    HttpClient open{usher.port()};
    open.send_get("/slow?ms=60000");
    CHECK(get(usher.port(), "/").ok());

    const auto start = Clock::now();
    usher.signal(SIGTERM);
    usher.wait_for_count(": draining, ", 2);
    usher.signal(SIGTERM);
    CHECK(usher.wait() == success);
    CHECK(Clock::now() - start < 2s + slack); // and not the 30 seconds of the drain
    CHECK_THROWS(std::ignore = open.read_answer());
}

TEST_CASE("a second signal is fast also where workers ignore SIGTERM")
{
    UsherProcess usher{run_demo(1, {"--ignore-term"})};
    usher.wait_until_ready(1);
    const auto worker = usher.worker_pid(1);
    const auto idle = descriptors_of(worker).size();
    HttpClient open{usher.port()};
    open.send_get("/slow?ms=60000");
    REQUIRE(eventually([&] { return descriptors_of(worker).size() > idle; }));

    const auto start = Clock::now();
    usher.signal(SIGTERM);
    usher.wait_for(": draining, ");
    usher.signal(SIGTERM);
    CHECK(usher.wait() == success);
    CHECK(Clock::now() - start < 3s + slack);
}

TEST_CASE("a worker that is never ready is a failure when its time is up, never a success")
{
    const TempDir folder;
    UsherProcess usher{run_config(folder, {{"command", {demo_program(), "--never-ready"}},
                                           {"workers", 1},
                                           {"start_timeout", "150ms"},
                                           {"start_attempts", 2},
                                           {"restart", {{"first_delay", "10ms"}}}})};
    CHECK(usher.wait() == failure);
    CHECK(usher.count("not ready after 150ms, SIGTERM") == 2);
    CHECK(usher.count("no worker was ever ready") == 1);
}

TEST_CASE("a worker may take its time to become ready, and gets nothing before")
{
    const TempDir folder;
    StartGate gate;
    UsherProcess usher{run_config(folder, {{"command", gate.command()}, {"workers", 1}})};
    usher.wait_for("worker 1 (pid");
    HttpClient early{usher.port()};
    early.send_get("/");
    CHECK(usher.command({"status"}).code == 0); // the master has had its turn meanwhile
    CHECK_FALSE(early.has_answer());
    gate.let_start(1);
    CHECK(early.read_answer().ok());
    CHECK(usher.command({"events"}).output.find(": ready after") != std::string::npos);
}

TEST_CASE("a program that cannot be started is named, with the reason, and the exit code is 1")
{
    const TempDir folder;
    const auto text = folder.write("not-executable", "data");
    struct Case {
        std::vector<std::string> command;
        std::string sentence;
    };
    const Case cases[]{
        {{"./no-such-server"}, "./no-such-server: no such file"},
        {{"no-such-server"}, "no-such-server: no such program in PATH"},
        {{text.string()}, text.string() + ": is not executable"},
        {{"/bin/false"}, "the worker exited with code 1 before it was ready"},
    };
    for (const auto& entry : cases) {
        const auto& command = entry.command;
        const auto& sentence = entry.sentence;
        CAPTURE(sentence);
        UsherProcess usher{run_config(
            folder, {{"command", command}, {"workers", 2}, {"restart", {{"first_delay", "5ms"}}}})};
        CHECK(usher.wait() == failure);
        CHECK(usher.count(sentence) >= 1);
        CHECK(usher.count("no worker was ever ready of pool") == 1);
    }
}

TEST_CASE("workers have their own process group, so that Ctrl-C reaches only the master")
{
    UsherProcess usher{run_demo(2)};
    usher.wait_until_ready(2);
    for (const unsigned slot : {1U, 2U})
        CHECK(::getpgid(usher.worker_pid(slot)) == usher.worker_pid(slot));
}

TEST_CASE("a master that is started with its standard descriptors closed opens no socket there")
{
    UsherProcess usher{run_demo(1), [] {
                           ::close(STDIN_FILENO);
                           ::close(STDOUT_FILENO);
                       }};
    usher.wait_until_ready(1);
    const auto open = descriptors_of(usher.pid());
    CHECK(open.at(STDIN_FILENO) == "/dev/null");
    CHECK(open.at(STDOUT_FILENO) == "/dev/null");
    CHECK(get(usher.port(), "/").ok());
}

TEST_CASE("environment and working directory are the pool's")
{
    const TempDir folder;
    UsherProcess usher{run_config(
        folder,
        {{"command",
          {"/bin/sh", "-c", "echo \"$GREETING from $PWD\" >&2; exec \"$0\"", demo_program()}},
         {"workers", 1},
         {"cwd", "/usr"},
         {"env", {{"GREETING", "hello"}}}})};
    usher.wait_until_ready(1);
    usher.wait_for("hello from /usr");
}

TEST_SUITE_END();

} // namespace usher::start_and_stop_test
