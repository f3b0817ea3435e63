// SPDX-License-Identifier: MIT
#include "tests/support/config_file.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/load.hpp"
#include "tests/support/process_facts.hpp"
#include "tests/support/slack.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/support/usher_process.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace usher::reclaim_test {

using namespace usher::test;
using namespace std::chrono_literals;

namespace {

std::string config_with_restart(const TempDir& folder, std::vector<std::string> command,
                                unsigned workers, const char* first_delay)
{
    const nlohmann::json config{
        {"pools",
         {{{"command", command},
           {"workers", workers},
           {"listen", "127.0.0.1:0"},
           {"move_after", "0s"}, // what waits is there when its worker dies
           {"restart", {{"first_delay", first_delay}, {"longest_delay", "2s"}}}}}}};
    return folder.write("usher.json", config.dump()).string();
}

} // namespace

TEST_SUITE_BEGIN("reclaim");

TEST_CASE("what a killed worker had not taken is served by the others, oldest first")
{
    UsherProcess usher{run_demo(4)};
    usher.wait_until_ready(4);
    const auto port = usher.port();
    const auto victim = usher.worker_pid(2);
    ::kill(victim, SIGSTOP);

    std::vector<HttpClient> clients;
    for (int i = 0; i < 80; ++i)
        clients.emplace_back(port).send_get("/whoami");
    // The other three have answered theirs: the 20 that are open sit in the queue.
    REQUIRE(
        eventually([&] { return std::ranges::count_if(clients, &HttpClient::has_answer) == 60; }));
    ::kill(victim, SIGKILL);

    for (auto& client : clients) {
        const auto answer = client.read_answer();
        CHECK(answer.ok());
        CHECK(nlohmann::json::parse(answer.body).at("pid") != victim);
    }
    usher.wait_for(": 20 connections it had not taken went to others");
    usher.wait_for_count("worker 2 (pid " + std::to_string(victim) + "): killed by SIGKILL", 1);
}

TEST_CASE("workers killed one after the other under load lose what they had taken, and no more")
{
    UsherProcess usher{run_demo(4)};
    usher.wait_until_ready(4);
    Load load{usher.port(), 8};
    std::uint64_t taken = 0;
    for (unsigned slot = 1; slot <= 4; ++slot) {
        load.wait_for(50);
        const auto victim = usher.worker_pid(slot);
        ::kill(victim, SIGSTOP); // so that what it has taken can be counted
        REQUIRE(eventually([victim] { return state_of(victim) == 'T'; }));
        const auto status = nlohmann::json::parse(usher.command({"status", "--json"}).output);
        const auto& worker = status.at("pools").at(0).at("workers").at(slot - 1);
        REQUIRE(worker.at("pid") == victim);
        taken += worker.at("open").get<std::uint64_t>();

        const auto start = std::chrono::steady_clock::now();
        ::kill(victim, SIGKILL);
        usher.wait_until_ready(4 + slot);
        CHECK(usher.worker_pid(slot) != victim);
        CHECK(std::chrono::steady_clock::now() - start < 1s + slack);
        CHECK(load.problems() <= taken);
    }
    load.wait_for(50);
    load.stop();
    CAPTURE(load.first_problem());
    CHECK(load.problems() <= taken);
}

TEST_CASE("connections made while every worker is dead are served by their successors")
{
    const TempDir folder;
    UsherProcess usher{
        {"run", "--config", config_with_restart(folder, {demo_program()}, 4, "700ms")}};
    usher.wait_until_ready(4);
    const auto port = usher.port();

    std::atomic<bool> stop{false};
    std::atomic<int> served{0};
    std::atomic<int> lost{0};
    std::mutex mutex;
    std::string reasons;
    std::vector<std::jthread> load;
    for (int i = 0; i < 8; ++i)
        load.emplace_back([&] {
            while (!stop) {
                try {
                    served += get(port, "/").ok() ? 1 : 0;
                } catch (const std::exception& e) {
                    ++lost; // was being answered when its worker was killed
                    const std::scoped_lock lock{mutex};
                    reasons += std::string{e.what()} + "; ";
                }
            }
        });
    while (served < 200)
        std::this_thread::yield();

    // Stopped first, so that all die with what they hold at one moment: a client whose worker
    // is killed a little earlier would ask the next one, and lose that request as well.
    std::vector<pid_t> workers;
    for (unsigned slot = 1; slot <= 4; ++slot)
        workers.push_back(usher.worker_pid(slot));
    for (const int number : {SIGSTOP, SIGKILL})
        for (const auto worker : workers)
            ::kill(worker, number);
    usher.wait_for_count(": next start in", 4);
    REQUIRE(usher.count(": ready after") == 4);

    std::vector<HttpClient> clients;
    for (int i = 0; i < 100; ++i)
        clients.emplace_back(port).send_get("/");
    for (auto& client : clients)
        CHECK(client.read_answer().ok());

    const int before = served;
    while (served < before + 200)
        std::this_thread::yield();
    stop = true;
    load.clear();
    CAPTURE(reasons);
    CAPTURE(usher.log());
    CHECK(lost.load() <= 8); // one request a thread: what a dead worker had already taken
    usher.wait_until_ready(8);
}

TEST_CASE("a connection that two dead workers had not taken is closed and counted")
{
    const TempDir folder;
    UsherProcess usher{
        {"run", "--config",
         config_with_restart(folder, {faulty_worker_program(), "never-take", demo_program()}, 1,
                             "10ms")}};
    usher.wait_until_ready(1);
    HttpClient client{usher.port()};
    client.send_get("/");
    // The listener works through its backlog in order: when this one is handed off, so is that.
    HttpClient second{usher.port()};

    ::kill(usher.worker_pid(1), SIGSTOP);
    ::kill(usher.worker_pid(1), SIGKILL);
    usher.wait_until_ready(2);
    ::kill(usher.worker_pid(1), SIGKILL);

    CHECK_THROWS(std::ignore = client.read_answer());
    usher.wait_for("closed, which 2 workers had not taken when they ended");
}

TEST_CASE("what workers had not taken that were told to end one after the other is served")
{
    ConfigFile config;
    // The second ends longer after the first than workers do that die of one blow.
    config.pool["command"] = {"sh", "-c", "sleep 2; exec \"$0\"", demo_program()};
    config.pool["drain_timeout"] = "0s";
    config.pool["stop_grace"] = "100ms";
    config.pool["stall_timeout"] = "60s";
    config.write();
    UsherProcess usher{config.run()};
    usher.wait_until_ready(2);
    for (const unsigned slot : {1U, 2U}) {
        const auto worker = usher.worker_pid(slot);
        ::kill(worker, SIGSTOP);
        REQUIRE(eventually([worker] { return state_of(worker) == 'T'; }));
    }
    std::vector<HttpClient> clients;
    for (int i = 0; i < 4; ++i)
        clients.emplace_back(usher.port()).send_get("/");
    const auto handed_off = [&] {
        const auto status = nlohmann::json::parse(usher.command({"status", "--json"}).output);
        return status.at("pools").at(0).at("handed_off").get<int>();
    };
    REQUIRE(eventually([&] { return handed_off() == 4; }));

    // What the first has goes to the second as well, which is the next to end.
    CHECK(usher.command({"reload"}).code == 0);
    for (auto& client : clients)
        CHECK(client.read_answer().ok());
    CHECK(usher.count("had not taken went to others") == 2);
    CHECK(usher.count("which 2 workers had not taken") == 0);
}

TEST_SUITE_END();

} // namespace usher::reclaim_test
