// SPDX-License-Identifier: MIT
// What the master makes of what workers say on the bus, whatever they say and however they end.
#include "tests/support/config_file.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/process_facts.hpp"
#include "tests/support/usher_process.hpp"

#include <doctest/doctest.h>
#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <csignal>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace usher::bus_test {

using namespace usher::test;
using nlohmann::json;

namespace {

/// A pool of tests/sharing/raw_worker.py.
struct Site : ConfigFile {
    explicit Site(unsigned workers, const json& more = json::object())
    {
        pool["command"] = {python_program(), source_folder() + "/tests/sharing/raw_worker.py"};
        pool["dialect"] = "none";
        pool["start_delay"] = "100ms";
        pool["workers"] = workers;
        pool["restart"] = {{"first_delay", "10ms"}, {"give_up_after", 1'000'000}};
        pool.erase("listen");
        pool.update(more);
        write();
    }
};

/// What the worker in `slot` answers, once it listens; null if it does not.
json ask(const UsherProcess& usher, unsigned slot, const json& question)
{
    UsherProcess::CommandResult result;
    if (!eventually([&] {
            result = usher.command(
                {"request", fmt::format("op.{}", slot), question.dump(), "--timeout", "100s"});
            return result.output.find("nobody has subscribed") == std::string::npos;
        }))
        return nullptr;
    const auto blank = result.output.find(' ');
    if (result.code != 0 || blank == std::string::npos)
        return nullptr;
    return json::parse(result.output.substr(blank));
}

/// Waits until all workers have subscribed.
void wait_for_workers(UsherProcess& usher, unsigned count)
{
    usher.wait_until_ready(count);
    for (unsigned slot = 1; slot <= count; ++slot)
        REQUIRE(ask(usher, slot, {{"op", "size"}}).is_number());
}

json state(int heard, int lost = 0)
{
    return {{"heard", heard}, {"broken", json::array()}, {"lost", lost}};
}

} // namespace

TEST_SUITE_BEGIN("bus");

TEST_CASE("each receiver gets each sender's messages in their order, under load from four to four")
{
    constexpr int messages = 10'000;
    const Site site{8, {{"bus", {{"max_messages", 1'000'000}, {"max_bytes", "1GiB"}}}}};
    UsherProcess usher{site.run()};
    wait_for_workers(usher, 8);
    {
        std::vector<std::jthread> senders;
        for (unsigned slot = 1; slot <= 4; ++slot)
            senders.emplace_back([&, slot] {
                ask(usher, slot, {{"op", "publish"}, {"topic", "all.order"}, {"count", messages}});
            });
    }
    for (unsigned slot = 1; slot <= 8; ++slot)
        CHECK(
            ask(usher, slot, {{"op", "await"}, {"topic", "all.order"}, {"count", 4 * messages}}) ==
            state(4 * messages));
    CHECK(usher.stop().code == 0);
}

TEST_CASE("a million messages past a worker that has stopped reading: it alone loses, and is told "
          "exactly how many")
{
    constexpr int messages = 1'000'000;
    const Site site{3};
    UsherProcess usher{site.run()};
    wait_for_workers(usher, 3);
    REQUIRE(ask(usher, 3, {{"op", "leader"}}) != "?");
    const auto memory = resident_bytes(usher.pid());
    REQUIRE(::kill(usher.worker_pid(3), SIGSTOP) == 0);
    REQUIRE(ask(usher, 1, {{"op", "publish"}, {"topic", "all.flood"}, {"count", messages}}) ==
            "done");
    const auto other =
        ask(usher, 2, {{"op", "await"}, {"topic", "all.flood"}, {"count", messages}});
    CHECK(other.at("broken").empty());
    // What waits for one worker is 4 MiB, twice that in the heap; the rest is the sanitizers'.
    CHECK(resident_bytes(usher.pid()) < memory + 120'000'000);
    REQUIRE(::kill(usher.worker_pid(3), SIGCONT) == 0);
    const auto stopped =
        ask(usher, 3, {{"op", "await"}, {"topic", "all.flood"}, {"count", messages}});
    CHECK(stopped.at("broken").empty());
    CHECK(stopped.at("lost") > messages / 2);
    CHECK(stopped.at("heard").get<int>() + stopped.at("lost").get<int>() == messages);
    CHECK(usher.stop().code == 0);
}

TEST_CASE("eight workers count one key by compare and set, and none is lost or counted twice")
{
    const Site site{8};
    UsherProcess usher{site.run()};
    wait_for_workers(usher, 8);
    {
        std::vector<std::jthread> workers;
        for (unsigned slot = 1; slot <= 8; ++slot)
            workers.emplace_back([&, slot] {
                ask(usher, slot, {{"op", "count"}, {"key", "n"}, {"times", 1'000}});
            });
    }
    CHECK(usher.command({"store", "get", "n"}).output == "8000\n");
    for (unsigned slot = 1; slot <= 8; ++slot)
        CHECK(eventually([&] { return ask(usher, slot, {{"op", "get"}, {"key", "n"}}) == 8'000; }));
    CHECK(usher.stop().code == 0);
}

TEST_CASE("whatever worker is killed meanwhile, what was acknowledged is counted once")
{
    const Site site{4};
    UsherProcess usher{site.run()};
    wait_for_workers(usher, 4);
    std::vector<std::uint64_t> acknowledged(5);
    std::size_t killed = 0;
    {
        std::vector<std::jthread> workers;
        for (unsigned slot = 1; slot <= 4; ++slot)
            workers.emplace_back([&, slot](const std::stop_token& stop) {
                while (!stop.stop_requested())
                    if (const auto answer = ask(
                            usher, slot,
                            {{"op", "count"}, {"key", fmt::format("n{}", slot)}, {"times", 20}});
                        answer.is_number())
                        acknowledged.at(slot) += answer.get<std::uint64_t>();
            });
        const auto counted = [&](unsigned slot) {
            const auto value = usher.command({"store", "get", fmt::format("n{}", slot)});
            return value.code == 0 ? std::stoull(value.output) : 0;
        };
        std::minstd_rand dice{5};
        for (; killed < 12; ++killed) {
            const auto victim = 1 + static_cast<unsigned>(dice() % 4);
            const auto before = counted(victim);
            REQUIRE(eventually([&] { return counted(victim) > before; })); // it is at work
            ::kill(usher.worker_pid(victim), SIGKILL);
            usher.wait_for_count("started", 5 + killed);
        }
    }
    for (unsigned slot = 1; slot <= 4; ++slot) {
        const auto counted =
            std::stoull(usher.command({"store", "get", fmt::format("n{}", slot)}).output);
        CHECK(counted >= acknowledged.at(slot));
        // Of those that were killed while they counted nobody knows how far they had come.
        CHECK(counted <= acknowledged.at(slot) + 20 * killed);
    }
    CHECK(usher.stop().code == 0);
}

TEST_CASE("a new worker gets a copy of 10,000 keys")
{
    const Site site{2};
    UsherProcess usher{site.run()};
    wait_for_workers(usher, 2);
    json lines = json::array();
    for (int i = 0; i < 10'000; ++i)
        lines.push_back({{"type", "put"}, {"key", fmt::format("key{}", i)}, {"value", i}});
    for (int part = 0; part < 10; ++part)
        REQUIRE(ask(usher, 1,
                    {{"op", "say"},
                     {"lines", json(lines.begin() + part * 1'000L,
                                    lines.begin() + (part + 1) * 1'000L)}}) == "done");
    REQUIRE(::kill(usher.worker_pid(2), SIGKILL) == 0);
    usher.wait_for_count("ready", 3);
    CHECK(eventually([&] { return ask(usher, 2, {{"op", "size"}}) == 10'000; }));
    CHECK(ask(usher, 2, {{"op", "get"}, {"key", "key9999"}}) == 9'999);
    CHECK(usher.command({"store", "get", "key9999"}).output == "9999\n");
    CHECK(usher.stop().code == 0);
}

TEST_CASE("garbage, half lines and a line without end harm their sender only")
{
    const Site site{2};
    UsherProcess usher{site.run()};
    wait_for_workers(usher, 2);
    const auto codes_of = [&](const json& question) {
        REQUIRE(ask(usher, 1, question) == "done");
        std::string codes;
        for (const auto& line : ask(usher, 1, {{"op", "last"}}))
            codes += line.value("code", line.value("type", "?")) + " ";
        return codes;
    };
    ask(usher, 1, {{"op", "last"}}); // what its copy began with
    CHECK(codes_of({{"op", "bytes"},
                    {"text", "garbage\n{\"type\":\n\n{\"type\":\"get\",\"id\":\"g\",\"key\":\"k\"}"
                             "\n\x01\x02\n"}}) == "bad-line bad-line ok bad-line ");
    CHECK(codes_of({{"op", "bytes"}, {"text", "{}\n"}, {"times", 3}}) ==
          "bad-line bad-line bad-line ");
    CHECK(codes_of({{"op", "bytes"}, {"text", std::string(50'000, 'x') + "\n"}, {"times", 1}}) ==
          "bad-line ");
    CHECK(
        codes_of(
            {{"op", "bytes"}, {"text", std::string(30'000, ' ')}, {"times", 10}, {"end", "\n"}}) ==
        "too-long ");
    REQUIRE(ask(usher, 1, {{"op", "endless"}, {"count", 20'000'000}}) == "done");
    const auto works = [&](unsigned slot) {
        return ask(usher, slot, {{"op", "publish"}, {"topic", "all.news"}, {"count", 1}}) == "done";
    };
    CHECK(works(2));
    CHECK(::kill(usher.worker_pid(1), SIGKILL) == 0);
    usher.wait_for_count("ready", 3);
    CHECK(eventually([&] { return works(1); }));
    CHECK(usher.stop().code == 0);
}

TEST_CASE("there is one leader of a pool, and another when it ends")
{
    const Site site{3};
    UsherProcess usher{site.run()};
    wait_for_workers(usher, 3);
    const auto campaign = [&](unsigned slot) {
        return ask(usher, slot, {{"op", "say"}, {"lines", {{{"type", "campaign"}}}}}) == "done";
    };
    const auto leaders = [&] {
        std::vector<unsigned> found;
        for (unsigned slot = 1; slot <= 3; ++slot)
            if (ask(usher, slot, {{"op", "leader"}}) == true)
                found.push_back(slot);
        return found;
    };
    for (unsigned slot = 1; slot <= 3; ++slot)
        REQUIRE(campaign(slot));
    std::minstd_rand dice{9};
    for (std::size_t round = 0; round < 8; ++round) {
        REQUIRE(eventually([&] { return leaders().size() == 1; }));
        const auto leader = leaders().at(0);
        ::kill(usher.worker_pid(leader), dice() % 2 == 0 ? SIGKILL : SIGTERM);
        usher.wait_for_count("ready", 4 + round);
        CHECK(leaders().size() <= 1);
        REQUIRE(eventually([&] { return campaign(leader); }));
    }
    CHECK(usher.stop().code == 0);
}

TEST_CASE("with a file, each acknowledged change is there when usher was killed")
{
    constexpr int puts = 10'000;
    Site site{1};
    site.pool["store"] = {{"persist", site.in_folder("store")}};
    site.write();
    int acknowledged = 0;
    {
        UsherProcess usher{site.run()};
        wait_for_workers(usher, 1);
        std::jthread client{[&] {
            for (int i = 0; i < puts; i += 100) {
                json lines = json::array();
                for (int j = i; j < i + 100; ++j)
                    lines.push_back(
                        {{"type", "put"}, {"key", fmt::format("k{}", j)}, {"value", j}});
                if (ask(usher, 1, {{"op", "say"}, {"lines", lines}}) != "done" ||
                    ask(usher, 1, {{"op", "count"}, {"key", "n"}, {"times", 1}}) != 1)
                    return;
                acknowledged = i + 100; // changes are made in their order
            }
        }};
        REQUIRE(eventually([&] { return usher.command({"store", "get", "k2000"}).code == 0; }));
        usher.signal(SIGKILL);
        CHECK(usher.wait().by_signal);
    }
    REQUIRE(acknowledged > 1'000);
    CHECK(acknowledged < puts);
    UsherProcess usher{site.run()};
    wait_for_workers(usher, 1);
    const auto dump = usher.command({"store", "dump", "k"}).output;
    for (int i = 0; i < acknowledged; ++i)
        REQUIRE(dump.find(fmt::format("\"k{}\" {}\n", i, i)) != std::string::npos);
    CHECK(std::stoi(usher.command({"store", "get", "n"}).output) >= acknowledged / 100);
    CHECK(usher.stop().code == 0);
}

TEST_CASE("a dry run says what is wrong with a store's file, and neither makes nor changes one")
{
    Site site{1};
    site.pool["name"] = "web";
    UsherProcess usher{site.run()};
    wait_for_workers(usher, 1);
    auto jobs = site.pool;
    jobs["name"] = "jobs";
    const auto path = site.in_folder("store");
    jobs["store"] = {{"persist", path}};
    site.more_pools.push_back(jobs);
    site.write();

    CHECK(usher.command({"reload", "--dry-run"}).code == 0);
    CHECK_FALSE(std::filesystem::exists(path));
    std::ofstream{path} << "something else\n";
    const auto refused = usher.command({"reload", "--dry-run"});
    CHECK(refused.code != 0);
    CHECK(
        refused.output.find(fmt::format("pool \"jobs\": store.persist: the store's file {} is not "
                                        "a store that this usher has written",
                                        path)) != std::string::npos);
    CHECK(std::filesystem::file_size(path) == 15);
    std::filesystem::remove(path);
    CHECK(usher.command({"reload"}).code == 0);
    CHECK(std::filesystem::exists(path));
    CHECK(usher.command({"store", "put", "k", "1", "--pool", "jobs"}).code == 0);
    CHECK(usher.stop().code == 0);
}

TEST_CASE("pools have each its own bus, unless they share one")
{
    for (const bool is_shared : {false, true}) {
        Site site{1};
        site.pool["name"] = "web";
        auto jobs = site.pool;
        jobs["name"] = "jobs";
        if (is_shared)
            for (auto* each : {&site.pool, &jobs})
                (*each)["bus"] = {{"share", "shop"}};
        site.more_pools.push_back(jobs);
        site.write();
        UsherProcess usher{site.run()};
        usher.wait_until_ready(2);
        const auto publish = [&](const char* pool) {
            return usher.command({"publish", "all.x", "[0]", "--pool", pool}).output;
        };
        const std::string expected = is_shared ? "2 got it\n" : "1 got it\n";
        CHECK(eventually([&] { return publish("web") == expected; }));
        CHECK(
            eventually([&] { return publish("jobs") == expected; })); // it subscribes when it likes
        REQUIRE(usher.command({"store", "put", "k", "1", "--pool", "web"}).code == 0);
        CHECK((usher.command({"store", "get", "k", "--pool", "jobs"}).code == 0) == is_shared);
        CHECK(usher.command({"publish", "all.x", "0"}).code != 0); // which?
        CHECK(usher.stop().code == 0);
    }
}

TEST_CASE("events are messages, and a reload keeps the store")
{
    const Site site{1};
    UsherProcess usher{site.run()};
    wait_for_workers(usher, 1);
    REQUIRE(usher.command({"store", "put", "k", "[1]"}).code == 0);
    std::string heard;
    {
        std::jthread listener{[&] {
            heard = usher
                        .command({"subscribe", "usher.events.reload-done", "--count", "1",
                                  "--timeout", "60s"})
                        .output;
        }};
        REQUIRE(eventually([&] { return usher.command({"reload"}).code == 0 && !heard.empty(); }));
    }
    CHECK(heard.starts_with("usher.events.reload-done usher {"));
    CHECK(heard.find("\"event\":\"reload-done\"") != std::string::npos);
    CHECK(usher.command({"store", "get", "k"}).output == "[1]\n");
    CHECK(usher.stop().code == 0);
}

TEST_SUITE_END();

} // namespace usher::bus_test
