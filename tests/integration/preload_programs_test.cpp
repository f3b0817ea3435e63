// SPDX-License-Identifier: MIT
// Servers as they come from their makers, as workers.
#include "tests/support/asking_clients.hpp"
#include "tests/support/build.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/process_facts.hpp"
#include "tests/support/real_program.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/support/usher_process.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <atomic>
#include <csignal>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace usher::preload_programs_test {

using namespace usher::test;
using namespace std::chrono_literals;

namespace {

/// How many connections show that none is an exception; a multiple of four.
constexpr int many = with_sanitizers ? 400 : 2'000;

constexpr int asking = 4;

constexpr int reloads = with_sanitizers ? 2 : 5;

/// One program as the workers of a pool.
class Site {
public:
    Site(const RealProgram& program, unsigned workers)
        : usher{{"run", "--config", write(program, workers)}}
    {
        usher.wait_until_ready(workers);
        port = usher.port();
    }

private:
    TempDir folder_;

    std::string write(const RealProgram& program, unsigned workers)
    {
        const nlohmann::json pool{{"command", program.command(folder_)},
                                  {"dialect", "preload"},
                                  {"workers", workers},
                                  {"listen", "127.0.0.1:0"},
                                  {"stop_signal", program.stop_signal},
                                  {"move_after", "0s"}, // strict turns, however busy all are
                                  {"restart", {{"first_delay", "10ms"}}}};
        return folder_.write("usher.json", nlohmann::json{{"pools", {pool}}}.dump());
    }

public:
    UsherProcess usher;
    std::uint16_t port = 0;
};

void for_each_program(void (*body)(const RealProgram&))
{
    for (const auto& program : real_programs()) {
        const auto& name = program.name;
        SUBCASE(name.c_str())
        {
            body(program);
        }
    }
}

} // namespace

TEST_SUITE_BEGIN("preload_programs");

TEST_CASE("connections in a row go to the four workers strictly in turn, and none fails")
{
    for_each_program([](const RealProgram& program) {
        Site site{program, 4};
        std::vector<std::string> turn;
        for (int i = 0; i < 4; ++i)
            turn.push_back(program.ask(site.port));
        CHECK(std::set<std::string>{turn.begin(), turn.end()}.size() == 4);

        int exceptions = 0;
        for (std::size_t i = 0; i < many; ++i)
            exceptions += program.ask(site.port) != turn[i % 4] ? 1 : 0;
        CHECK(exceptions == 0);
        const auto status =
            nlohmann::json::parse(site.usher.command({"status", "--json"}).output).at("pools")[0];
        CHECK(status.at("dialect") == "preload");
        CHECK(status.at("handed_off") == many + 4);
        CHECK(status.at("workers")[0].at("handed_off") == many / 4 + 1);
        CHECK(status.at("workers")[0].at("queued") == 0);
        CHECK(status.at("workers")[0].at("open").is_null());
        CHECK(site.usher.stop() == usher::sys::ExitStatus{});
    });
}

TEST_CASE("connections, eight at a time, are dealt evenly, and none fails")
{
    for_each_program([](const RealProgram& program) {
        Site site{program, 4};
        program.bombard(site.port, many, 8);
        const auto status =
            nlohmann::json::parse(site.usher.command({"status", "--json"}).output).at("pools")[0];
        const auto total = status.at("handed_off").get<unsigned>();
        CHECK(total >= many);
        for (const auto& worker : status.at("workers")) {
            CHECK(worker.at("handed_off") >= total / 4);
            CHECK(worker.at("handed_off") <= (total + 3) / 4);
        }
        CHECK(site.usher.stop() == usher::sys::ExitStatus{});
    });
}

TEST_CASE("kill -9 of a worker under load loses at most what it had taken")
{
    for_each_program([](const RealProgram& program) {
        Site site{program, 4};
        AskingClients load{asking, [&] { std::ignore = program.ask(site.port); }};
        load.wait_for(100);
        ::kill(site.usher.worker_pid(2), SIGKILL);
        site.usher.wait_until_ready(5);
        load.wait_for(100);
        const auto problems = load.stop();
        CAPTURE(problems.empty() ? "" : problems.front());
        CHECK(problems.size() <= asking);
        CHECK(site.usher.count("worker 2 (pid ") > 0);
    });
}

TEST_CASE("connections that wait for a worker that dies are served by the others")
{
    for_each_program([](const RealProgram& program) {
        Site site{program, 2};
        std::set<std::string> everybody{program.ask(site.port), program.ask(site.port)};
        REQUIRE(everybody.size() == 2);
        // All of its processes: gunicorn's worker is a child.
        const auto victim = site.usher.worker_pid(1);
        ::kill(-victim, SIGSTOP);
        std::vector<std::jthread> clients;
        std::atomic<int> served{0};
        for (int i = 0; i < 10; ++i)
            clients.emplace_back([&] { served += program.ask(site.port).empty() ? 0 : 1; });
        CHECK(eventually([&] { return served == 5; }));
        ::kill(victim, SIGKILL);
        clients.clear();
        CHECK(served == 10);
        site.usher.wait_for(": 5 connections it had not taken went to others");
    });
}

TEST_CASE("reloads under load, one after the other, lose nothing")
{
    for_each_program([](const RealProgram& program) {
        Site site{program, 2};
        AskingClients load{asking, [&] { std::ignore = program.ask(site.port); }};
        load.wait_for(50);
        for (int i = 0; i < reloads; ++i) {
            const auto result = site.usher.command({"reload"});
            CAPTURE(result.output);
            CHECK(result.code == 0);
            load.wait_for(20);
        }
        const auto problems = load.stop();
        CAPTURE(problems.empty() ? "" : problems.front());
        CHECK(problems.empty());
        CHECK(eventually([&] { return children_of(site.usher.pid()).size() == 2; }));
        CHECK(site.usher.stop() == usher::sys::ExitStatus{});
    });
}

TEST_CASE("a worker that drains finishes what is in flight, and ends when it has")
{
    for_each_program([](const RealProgram& program) {
        Site site{program, 2};
        auto in_flight = program.begin(site.port);
        std::ignore = program.ask(site.port);
        std::ignore = program.ask(site.port); // so the first one has been taken

        CHECK(site.usher.command({"reload"}).code == 0);
        site.usher.wait_until_ready(4);
        in_flight->finish();
        in_flight.reset();
        CHECK(eventually([&] { return children_of(site.usher.pid()).size() == 2; }));
        site.usher.wait_for_count(", 0 still open", 2);
        CHECK(site.usher.count("SIGKILL") == 0);
    });
}

TEST_SUITE_END();

} // namespace usher::preload_programs_test
