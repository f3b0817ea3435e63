// SPDX-License-Identifier: MIT
#include "tests/support/eventually.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/process_facts.hpp"
#include "tests/support/slack.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/support/usher_process.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <csignal>
#include <vector>

namespace usher::hang_test {

using namespace usher::test;
using namespace std::chrono_literals;

namespace {

using Clock = std::chrono::steady_clock;

std::vector<std::string> run_with(const TempDir& folder, unsigned workers, nlohmann::json pool)
{
    pool["workers"] = workers;
    pool["listen"] = "127.0.0.1:0";
    pool["restart"] = {{"first_delay", "20ms"}};
    const nlohmann::json config{{"pools", nlohmann::json::array({std::move(pool)})}};
    return {"run", "--config", folder.write("usher.json", config.dump()).string()};
}

} // namespace

TEST_SUITE_BEGIN("hang");

TEST_CASE("a worker that blocks its loop: its queue goes to others, then SIGABRT, then a new one")
{
    const TempDir folder;
    UsherProcess usher{run_with(
        folder, 4, {{"command", {demo_program()}}, {"stall_timeout", "1s"}, {"move_after", "0s"}})};
    usher.wait_until_ready(4);
    const auto port = usher.port();
    const auto victim = usher.worker_pid(1);

    HttpClient blocker{port}; // the first connection is slot 1's
    blocker.send_get("/block?ms=60000");
    CHECK(get(port, "/").slot() == 2);
    const auto start = Clock::now();
    std::vector<HttpClient> clients;
    for (int i = 0; i < 40; ++i)
        clients.emplace_back(port).send_get("/");
    for (auto& client : clients) // ten of them sit in the queue until they are taken back
        CHECK(client.read_answer().slot() != 1);

    CHECK(Clock::now() - start >= 900ms);
    CHECK(Clock::now() - start < 1s + slack);
    usher.wait_for("worker 1 (pid " + std::to_string(victim) + "): hangs, because its queue of ");
    usher.wait_for("10 connections it had not taken went to others");
    usher.wait_for("killed by SIGABRT");
    usher.wait_until_ready(5);
}

TEST_CASE("a blocked loop shows by its heartbeat, also with nothing queued")
{
    const TempDir folder;
    UsherProcess usher{
        run_with(folder, 1, {{"command", {demo_program()}}, {"stall_timeout", "3s"}})};
    usher.wait_until_ready(1);
    HttpClient blocker{usher.port()};
    blocker.send_get("/block?ms=60000");

    const auto start = Clock::now();
    usher.wait_for("its event loop has stood still for 3s");
    CHECK(Clock::now() - start < 4s + slack);
    usher.wait_for("killed by SIGABRT");
}

TEST_CASE("a stopped worker, which takes no signal but one, is killed after its grace")
{
    const TempDir folder;
    UsherProcess usher{run_with(folder, 2,
                                {{"command", {demo_program()}},
                                 {"stall_timeout", "500ms"},
                                 {"stop_grace", "700ms"},
                                 {"hang_signal", "QUIT"}})};
    usher.wait_until_ready(2);
    const auto port = usher.port();
    const auto start = Clock::now();
    ::kill(usher.worker_pid(1), SIGSTOP);
    HttpClient client{port};
    client.send_get("/");
    CHECK(client.read_answer().slot() == 2);
    usher.wait_for("SIGQUIT, 0 still open");
    const auto quit = Clock::now();
    usher.wait_for("killed by SIGKILL");
    CHECK(Clock::now() - start >= 500ms + 600ms); // the log may be read late
    CHECK(Clock::now() - quit < 700ms + slack);
    usher.wait_until_ready(3);
}

TEST_CASE("when everything was stopped for longer than the limit, nobody is blamed")
{
    const TempDir folder;
    UsherProcess usher{
        run_with(folder, 2, {{"command", {demo_program()}}, {"stall_timeout", "1s"}})};
    usher.wait_until_ready(2);
    const auto port = usher.port();
    const std::vector all{usher.pid(), usher.worker_pid(1), usher.worker_pid(2)};

    // The workers first, so that there is something in their queues when the time has passed.
    for (auto pid = all.rbegin(); pid != all.rend() - 1; ++pid)
        ::kill(*pid, SIGSTOP);
    std::vector<HttpClient> clients;
    for (int i = 0; i < 10; ++i)
        clients.emplace_back(port).send_get("/");
    ::kill(usher.pid(), SIGSTOP);
    std::this_thread::sleep_for(4s); // longer than both limits: it is time itself that counts
    for (const auto pid : all)
        ::kill(pid, SIGCONT);

    for (auto& client : clients)
        CHECK(client.read_answer().ok());
    CHECK(usher.stop() == usher::sys::ExitStatus{});
    CHECK(usher.count("hangs") == 0);
    CHECK(usher.count(": started") == 2);
}

TEST_CASE("a worker that is busy but takes its connections is not hung")
{
    const TempDir folder;
    UsherProcess usher{
        run_with(folder, 1, {{"command", {demo_program()}}, {"stall_timeout", "1s"}})};
    usher.wait_until_ready(1);
    for (int i = 0; i < 6; ++i) {
        HttpClient first{usher.port()};
        HttpClient second{usher.port()};
        first.send_get("/block?ms=400");
        second.send_get("/");
        CHECK(first.read_answer().ok());
        CHECK(second.read_answer().ok());
    }
    CHECK(usher.count("hangs") == 0);
}

TEST_SUITE_END();

} // namespace usher::hang_test
