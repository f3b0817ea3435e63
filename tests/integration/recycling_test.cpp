// SPDX-License-Identifier: MIT
#include "tests/support/config_file.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/load.hpp"
#include "tests/support/process_facts.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <regex>
#include <sstream>
#include <thread>

namespace usher::recycling_test {

using namespace usher::test;
using namespace std::chrono_literals;

namespace {

/// How many workers there were, read from the log line by line.
struct Census {
    int least_ready = 1'000; ///< once all were ready for the first time
    int most_alive = 0;      ///< started and not yet draining
};

Census census_of(const std::string& log, int workers)
{
    Census census;
    int ready = 0;
    int alive = 0;
    bool complete = false;
    std::istringstream lines{log};
    for (std::string line; std::getline(lines, line);) {
        const auto has = [&](std::string_view text) {
            return line.find(text) != std::string::npos;
        };
        if (has("): started"))
            census.most_alive = std::max(census.most_alive, ++alive);
        if (has("): ready after"))
            ++ready;
        if (has("): draining,")) {
            --ready;
            --alive;
        }
        complete = complete || ready == workers;
        if (complete)
            census.least_ready = std::min(census.least_ready, ready);
    }
    return census;
}

std::vector<int> connections_of_recycled(const std::string& log)
{
    const std::regex pattern{R"(is replaced, because it was given (\d+) connections)"};
    std::vector<int> counts;
    for (std::sregex_iterator match{log.begin(), log.end(), pattern}, end; match != end; ++match)
        counts.push_back(std::stoi((*match)[1]));
    return counts;
}

} // namespace

TEST_SUITE_BEGIN("recycling");

TEST_CASE("workers are replaced after 100 connections, nobody notices, and none is ever missing")
{
    constexpr int workers = 3;
    constexpr int clients = 8;
    ConfigFile config;
    config.pool["workers"] = workers;
    config.pool["max_connections"] = 100;
    config.pool["reload"] = {{"max_surge", 3}, {"strategy", "all-at-once"}, {"soak", "1m"}};
    config.write();
    UsherProcess usher{config.run()};
    usher.wait_until_ready(workers);
    Load load{usher.port(), clients / 2};
    Load faithful{usher.port(), clients / 2, Load::Mode::keep_alive};
    usher.wait_for_count("is replaced, because it was given", 12, 60s);
    load.stop();
    faithful.stop();
    CAPTURE(load.first_problem() + faithful.first_problem());
    CHECK(load.problems() + faithful.problems() == 0);

    const auto log = usher.log();
    const auto counts = connections_of_recycled(log);
    for (const int count : counts)
        CHECK(count >= 90);
    // The first had nobody to wait for, and a packet brings at most what all clients have open.
    CHECK(counts.front() <= 110 + clients);
    CHECK(census_of(log, workers).least_ready == workers);
    CHECK(census_of(log, workers).most_alive <= workers + 3);
    CHECK(usher.count("generation 2") == 0);
    CHECK(usher.stop() == usher::sys::ExitStatus{});
}

TEST_CASE("max_surge workers are replaced at once, and no more")
{
    ConfigFile config;
    config.pool["workers"] = 4;
    config.pool["max_connections"] = 20;
    config.write();
    UsherProcess usher{config.run()};
    usher.wait_until_ready(4);
    Load load{usher.port(), 4};
    usher.wait_for_count("is replaced, because it was given", 8, 60s);
    load.stop();
    CHECK(load.problems() == 0);
    const auto census = census_of(usher.log(), 4);
    CHECK(census.least_ready == 4);
    CHECK(census.most_alive == 5);
}

TEST_CASE("workers are replaced when they are old, one life after the other")
{
    ConfigFile config;
    config.pool["max_age"] = "1s";
    config.write();
    UsherProcess usher{config.run()};
    usher.wait_for_count("is replaced, because it is ", 4, 60s);
    const auto log = usher.log();
    const std::regex pattern{R"(because it is (\d+)(m?)s old)"}; // `1s` where it is exact
    int seen = 0;
    for (std::sregex_iterator match{log.begin(), log.end(), pattern}, end; match != end;
         ++match, ++seen)
        CHECK(std::stoi((*match)[1]) * ((*match)[2].length() == 0 ? 1'000 : 1) >= 900);
    CHECK(seen >= 4); // by now there may be another
    CHECK(census_of(log, 2).least_ready == 2);
}

TEST_CASE("a worker that has grown is replaced, the others are not")
{
    ConfigFile config;
    config.pool["max_memory"] = "256MiB";
    config.write();
    UsherProcess usher{config.run()};
    usher.wait_until_ready(2);
    // It has had less when it was first looked at, within the second after it was ready.
    CHECK(eventually([&] {
        const auto status = nlohmann::json::parse(usher.command({"status", "--json"}).output);
        return std::ranges::all_of(status.at("pools").at(0).at("workers"), [](const auto& worker) {
            return worker.at("uptime_ms") > 5'000;
        });
    }));
    const auto grown = get(usher.port(), "/grow?mib=400").pid();
    const auto line = usher.wait_for("is replaced, because it has ", 60s);
    CHECK(line.find("(pid " + std::to_string(grown) + ")") != std::string::npos);
    usher.wait_until_ready(3);
    CHECK(eventually([&] { return children_of(usher.pid()).size() == 2; }));
    CHECK(usher.count("is replaced") == 1);
    const auto status = nlohmann::json::parse(usher.command({"status", "--json"}).output);
    CHECK(status.at("events").at("recycled") == 1);
}

TEST_CASE(
    "where a fresh worker has too much memory, that is said, and none is replaced for it soon")
{
    ConfigFile config;
    config.pool["max_memory"] = "1MiB";
    config.write();
    UsherProcess usher{config.run()};
    const auto line = usher.wait_for("of memory although it is fresh");
    CHECK(line.find("warning") != std::string::npos);
    CHECK(
        std::regex_search(line, std::regex{R"(has \d+ MiB of memory .*max_memory is 1MiB: .*only )"
                                           R"(after 1m; raise max_memory)"}));
    // The others have long been looked at when the pool is looked at for the third time.
    usher.wait_until_ready(2);
    for (int i = 0; i < 30; ++i) {
        CHECK(get(usher.port(), "/").ok());
        std::this_thread::sleep_for(100ms);
    }
    CHECK(usher.count("although it is fresh") == 1);
    CHECK(usher.count("is replaced") == 0);

    config.pool["max_memory"] = "1GiB";
    config.write();
    CHECK(usher.command({"reload"}).code == 0);
    CHECK(usher.count("is replaced") == 0);
}

TEST_CASE("limits that a reload brings apply to the workers there are")
{
    ConfigFile config;
    UsherProcess usher{config.run()};
    usher.wait_until_ready(2);
    const auto port = usher.port();
    for (int i = 0; i < 60; ++i)
        CHECK(get(port, "/").ok());
    CHECK(usher.count("is replaced") == 0);

    config.pool["max_connections"] = 20;
    config.write();
    CHECK(usher.command({"reload"}).code == 0);
    usher.wait_for_count("is replaced, because it was given 30 connections", 2);
    usher.wait_until_ready(4);
}

TEST_CASE("while its successor does not come up, a worker that is due serves on")
{
    ConfigFile config;
    const auto gate = config.in_folder("gate");
    std::ofstream{gate}.put('\n');
    config.pool["command"] = {"/bin/sh", "-c", "test -e \"$1\" && exec \"$0\"", demo_program(),
                              gate};
    config.pool["workers"] = 1;
    config.pool["max_connections"] = 10;
    config.write();
    UsherProcess usher{config.run()};
    usher.wait_until_ready(1);
    const auto worker = usher.worker_pid(1);
    std::filesystem::remove(gate);

    Load load{usher.port(), 2};
    usher.wait_for("pool \"default\" keeps a worker that is due to be replaced, next try in 50 ms: "
                   "worker 1: the worker exited with code 1 before it was ready");
    usher.wait_for("next try in 100 ms");
    CHECK(get(usher.port(), "/").pid() == worker);
    std::ofstream{gate}.put('\n');
    usher.wait_until_ready(2);
    CHECK(eventually([&] { return get(usher.port(), "/").pid() != worker; }));
    load.stop();
    CHECK(load.problems() == 0);
}

TEST_SUITE_END();

} // namespace usher::recycling_test
