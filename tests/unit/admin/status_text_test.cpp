// SPDX-License-Identifier: MIT
#include "balancer/admin/status_text.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

namespace usher::status_text_test {

using nlohmann::ordered_json;

namespace {

/// A master of one pool with one worker that is probed, and one slot between two workers.
ordered_json status()
{
    return ordered_json::parse(R"({
        "version": "1.2.3", "pid": 4711, "ready": false, "stopping": false,
        "reload": {"running": false, "last": null},
        "stderr_lost_lines": 0,
        "pools": [{
            "name": "api", "state": "serving", "dialect": "native",
            "generation": 2, "listening": ["[::]:8000"], "handed_off": 12345,
            "reclaimed": 3, "closed_as_suspect": 0, "lost_lines": null,
            "configured_workers": 2, "scaled_to": null,
            "workers": [
                {"slot": 1, "generation": 2, "state": "probing", "pid": 4712, "worker": 1,
                 "uptime_ms": 61000, "handed_off": 0, "queued": 1, "open": 0,
                 "connections_per_second": 1.25, "cpu_percent": 99.6, "memory": 52428800,
                 "starts": 1},
                {"slot": 2, "generation": 2, "state": "waiting", "starts": 3}],
            "leaving": []}]})");
}

} // namespace

TEST_SUITE_BEGIN("status_text");

TEST_CASE("a quiet master is a header and a table")
{
    CHECK(status_text(status().dump()) ==
          R"(usher 1.2.3, master pid 4711, not ready

pool api, serving, generation 2, 12345 handed off, 3 reclaimed
listening on [::]:8000
  slot  gen state             pid   uptime    handed  conn/s  queued    open     cpu  memory  starts
     1    2 probing          4712    1m01s         0     1.2       1       0    100%     50M       1
     2    2 waiting             -        -         -       -       -       -       -       -       3)");
}

TEST_CASE("where there are no connections, no figure of them is shown, and none is unknown")
{
    auto json = status();
    auto& pool = json["pools"][0];
    pool["dialect"] = "none";
    pool["listening"] = ordered_json::array();
    pool["handed_off"] = nullptr;
    for (const auto* const key : {"handed_off", "queued", "open"})
        pool["workers"][0][key] = nullptr;
    CHECK(status_text(json.dump()) ==
          R"(usher 1.2.3, master pid 4711, not ready

pool api, serving, generation 2, without connections
  slot  gen state             pid   uptime    handed  conn/s  queued    open     cpu  memory  starts
     1    2 probing          4712    1m01s         -       -       -       -    100%     50M       1
     2    2 waiting             -        -         -       -       -       -       -       -       3)");
}

TEST_CASE("before the program has shown where the pool listens, that is said")
{
    auto json = status();
    json["pools"][0]["listening"] = ordered_json::array();
    CHECK(status_text(json.dump()).find("\nlistening on not yet known\n") != std::string::npos);
    json["pools"][0]["state"] = "stopping";
    CHECK(status_text(json.dump()).find("\nlistening on nothing any more\n") != std::string::npos);
}

TEST_CASE("who waits in backlogs and why a worker ended have their place where there is any")
{
    auto json = status();
    auto& pool = json["pools"][0];
    pool["listeners"] = {{{"name", "[::]:8000"}, {"waiting", 0}},
                         {{"name", "unix:a"}, {"waiting", nullptr}}};
    CHECK(status_text(json.dump()).find("listening on [::]:8000\n") != std::string::npos);
    pool["listeners"][0]["waiting"] = 1;
    CHECK(status_text(json.dump()).find("[::]:8000, where 1 client waits in the backlog\n") !=
          std::string::npos);
    pool["listeners"][1]["waiting"] = 3;
    pool["workers"][1]["last_failure"] = "the worker was killed by SIGKILL";
    const auto text = status_text(json.dump());
    CHECK(text.find("[::]:8000, where 4 clients wait in the backlog\n") != std::string::npos);
    CHECK(text.ends_with("\n       last exit: the worker was killed by SIGKILL"));
}

TEST_CASE("figures are as long as people want to read them")
{
    auto json = status();
    auto& worker = json["pools"][0]["workers"][0];
    const auto row_with = [&](double rate, const ordered_json& memory) {
        worker["connections_per_second"] = rate;
        worker["cpu_percent"] = nullptr;
        worker["memory"] = memory;
        const auto text = status_text(json.dump());
        const auto start = text.find("probing");
        return text.substr(start, text.find('\n', start) - start);
    };
    CHECK(
        row_with(0, 1'048'576) ==
        "probing          4712    1m01s         0     0.0       1       0 unknown    1.0M       1");
    CHECK(
        row_with(12'345.6, 2'147'483'648) ==
        "probing          4712    1m01s         0   12346       1       0 unknown    2.0G       1");
}

TEST_CASE("a bus that pools share is named")
{
    auto json = status();
    json["pools"][0]["bus_share"] = nullptr;
    CHECK(status_text(json.dump()).find("bus") == std::string::npos);
    json["pools"][0]["bus_share"] = "shop";
    CHECK(status_text(json.dump()).find("[::]:8000\nbus shop, with all that share it\n") !=
          std::string::npos);
}

TEST_CASE("a pool that people have scaled says so, and what is configured")
{
    auto json = status();
    json["pools"][0]["scaled_to"] = 1;
    CHECK(status_text(json.dump())
              .find("12345 handed off, 3 reclaimed, scaled to 1 worker instead of 2\nlistening") !=
          std::string::npos);
}

TEST_CASE("what is shared, who leads and who does not read have their lines where there are any")
{
    auto json = status();
    auto& pool = json["pools"][0];
    pool["store"] = {{"keys", 1}, {"bytes", 20}, {"revision", 7}};
    pool["workers"][0]["leader"] = true;
    pool["workers"][0]["lost_messages"] = 12;
    pool["workers"][1]["lost_messages"] = 0;
    const auto text = status_text(json.dump());
    CHECK(text.find("listening on [::]:8000\nshares 1 key, 20 bytes\n  slot") != std::string::npos);
    CHECK(text.find("       1\n       leads its pool\n"
                    "       has lost 12 messages, which it did not read in time\n     2") !=
          std::string::npos);
}

TEST_CASE("reloads and lost lines have their lines where there were any")
{
    auto json = status();
    json["reload"]["last"] = {{"time", "2026-01-01T00:00:00.000+00:00"},
                              {"age_ms", 3'723'000},
                              {"duration_ms", 5},
                              {"result", "failed"},
                              {"message", "pool \"api\" keeps its old generation: why"}};
    json["stderr_lost_lines"] = 4;
    json["pools"][0]["lost_lines"] = 17;
    const auto text = status_text(json.dump());
    CHECK(text.starts_with(R"(usher 1.2.3, master pid 4711, not ready
last reload 1h02m ago: failed, pool "api" keeps its old generation: why
4 lines of workers' output lost on standard error

pool api, serving, generation 2, 12345 handed off, 3 reclaimed
listening on [::]:8000
17 lines of workers' output lost on their way to the file
  slot )"));

    json["reload"]["running"] = true;
    json["reload"]["last"]["result"] = "done";
    json["stderr_lost_lines"] = 0;
    CHECK(status_text(json.dump())
              .starts_with("usher 1.2.3, master pid 4711, not ready\n"
                           "last reload 1h02m ago: done\n"
                           "a reload is under way\n"
                           "\n"
                           "pool api"));
}

TEST_SUITE_END();

} // namespace usher::status_text_test
