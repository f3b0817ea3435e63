// SPDX-License-Identifier: MIT
// Whoever speaks on a bus from outside, by the command line, and what becomes of that bus.
#include "tests/support/config_file.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/usher_process.hpp"

#include <doctest/doctest.h>
#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <csignal>
#include <map>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <vector>

namespace usher::bus_commands_test {

using namespace usher::test;
using nlohmann::json;

namespace {

constexpr usher::sys::ExitStatus code(int value)
{
    return {.by_signal = false, .code = value};
}

/// Pools of tests/sharing/raw_worker.py, each of one worker: `web`, and those whose names are
/// given.
struct Site : ConfigFile {
    explicit Site(const std::vector<std::string>& others = {}, const std::string& share = {})
    {
        pool["name"] = "web";
        pool["command"] = {python_program(), source_folder() + "/tests/sharing/raw_worker.py"};
        pool["dialect"] = "none";
        pool["workers"] = 1;
        pool["start_delay"] = "100ms";
        pool.erase("listen");
        if (!share.empty())
            pool["bus"] = {{"share", share}};
        for (const auto& name : others) {
            auto other = pool;
            other["name"] = name;
            more_pools.push_back(other);
        }
        write();
    }
};

/// `usher COMMAND...`, which listens to the bus of `pool` until it ends.
struct Listener : UsherProcess {
    Listener(const UsherProcess& usher, std::vector<std::string> command, const std::string& pool)
        : UsherProcess{[&] {
              command.insert(command.end(), {"--pool", pool, "--control", usher.control_path()});
              return command;
          }()}
    {
    }
};

/// Waits until `listener` shows what `usher` is told to change or say.
void wait_until_heard(const UsherProcess& usher, Listener& listener,
                      const std::vector<std::string>& command)
{
    REQUIRE(eventually([&] {
        std::ignore = usher.command(command);
        return !listener.log().empty();
    }));
}

/// What the worker of `pool` answers, once it listens.
UsherProcess::CommandResult ask(const UsherProcess& usher, const std::string& pool,
                                const json& question, const std::vector<std::string>& options = {})
{
    std::vector<std::string> command{"request", "op.1", question.dump(), "--pool", pool};
    command.insert(command.end(), options.begin(), options.end());
    UsherProcess::CommandResult result;
    CHECK(eventually([&] {
        result = usher.command(command);
        return result.output.find("nobody has subscribed") == std::string::npos;
    }));
    return result;
}

} // namespace

TEST_SUITE_BEGIN("bus_commands");

TEST_CASE("who listens to a pool is told that a reload has removed it")
{
    Site site{{"jobs"}};
    UsherProcess usher{site.run()};
    usher.wait_until_ready(2);
    Listener subscriber{usher, {"subscribe", "x.>"}, "jobs"};
    Listener watcher{usher, {"store", "watch"}, "jobs"};
    Listener other{usher, {"subscribe", "x.>"}, "web"};
    wait_until_heard(usher, subscriber, {"publish", "x.y", "1", "--pool", "jobs"});
    wait_until_heard(usher, watcher, {"store", "increment", "n", "--pool", "jobs"});
    site.more_pools.clear();
    site.write();
    REQUIRE(usher.command({"reload"}).code == 0);
    for (auto* const listener : {&subscriber, &watcher}) {
        CHECK(listener->wait() == code(1));
        CHECK(listener->log().ends_with(
            "usher: the bus of \"jobs\" is gone: a reload has removed its pool\n"));
    }
    wait_until_heard(usher, other, {"publish", "x.y", "1"});
    CHECK(usher.stop().code == 0);
}

TEST_CASE("who listens to a bus that pools share hears on while one of them is there")
{
    Site site{{"jobs"}, "shop"};
    UsherProcess usher{site.run()};
    usher.wait_until_ready(2);
    Listener subscriber{usher, {"subscribe", "x.>"}, "jobs"};
    wait_until_heard(usher, subscriber, {"publish", "x.y", "1", "--pool", "jobs"});
    site.more_pools.clear();
    site.write();
    REQUIRE(usher.command({"reload"}).code == 0);
    REQUIRE(usher.command({"publish", "x.z", "2"}).code == 0);
    subscriber.wait_for("x.z usher 2");
    CHECK(usher.stop().code == 0);
}

TEST_CASE("who has stopped listening is no receiver any more")
{
    const Site site;
    UsherProcess usher{site.run()};
    usher.wait_until_ready(1);
    Listener subscriber{usher, {"subscribe", "x.y"}, "web"};
    wait_until_heard(usher, subscriber, {"publish", "x.y", "1"});
    CHECK(usher.command({"publish", "x.y", "2"}).output == "1 got it\n");
    subscriber.signal(SIGINT);
    std::ignore = subscriber.wait();
    CHECK(eventually([&] {
        return usher.command({"publish", "x.y", "3"}).output == "0 got it\n";
    }));
    CHECK(usher.stop().code == 0);
}

TEST_CASE("who listens is told that the master has ended, however it did")
{
    for (const int number : {SIGTERM, SIGKILL}) {
        const Site site;
        UsherProcess usher{site.run()};
        usher.wait_until_ready(1);
        Listener subscriber{usher, {"subscribe", "x.>", "--count", "100000"}, "web"};
        Listener watcher{usher, {"store", "watch"}, "web"};
        Listener silent{usher, {"subscribe", "nothing"}, "web"};
        wait_until_heard(usher, subscriber, {"publish", "x.y", "1"});
        wait_until_heard(usher, watcher, {"store", "increment", "n"});
        REQUIRE(eventually([&] {
            return usher.command({"publish", "nothing", "1"}).output == "1 got it\n";
        }));
        usher.signal(number);
        std::ignore = usher.wait();
        for (auto* const listener : {&subscriber, &watcher, &silent}) {
            CHECK(listener->wait() == code(4));
            CHECK(listener->log().ends_with("usher: the master at " + usher.control_path() +
                                            " has ended, and its bus with it\n"));
        }
    }
}

TEST_CASE("a dump is what there was at one moment, while all of it changes")
{
    const Site site;
    UsherProcess usher{site.run()};
    usher.wait_until_ready(1);
    constexpr int keys = 4'000;
    json lines = json::array();
    for (int i = 0; i < keys; ++i)
        lines.push_back(
            {{"type", "put"}, {"key", fmt::format("m{}", i)}, {"value", std::string(100, 'x')}});
    for (int part = 0; part < keys; part += 250)
        REQUIRE(
            ask(usher, "web",
                {{"op", "say"}, {"lines", json(lines.begin() + part, lines.begin() + part + 250)}})
                .code == 0);
    // The first key and the last are written in turn, and between them those in the middle.
    const std::jthread writer{[&](const std::stop_token& stop) {
        for (int i = 1; !stop.stop_requested();) {
            json changes = json::array();
            for (const int end = i + 100; i < end; ++i) {
                for (const char* const key : {"a", "z"})
                    changes.push_back({{"type", "put"}, {"key", key}, {"value", i}});
                changes.push_back(
                    {{"type", "put"}, {"key", fmt::format("m{}", i * 7 % keys)}, {"value", i}});
            }
            std::ignore = ask(usher, "web", {{"op", "say"}, {"lines", changes}});
        }
    }};
    REQUIRE(eventually([&] { return usher.command({"store", "get", "z"}).code == 0; }));
    for (int round = 0; round < 10; ++round) {
        const auto dump = usher.command({"store", "dump"});
        REQUIRE(dump.code == 0);
        std::map<std::string, std::string> found;
        std::istringstream text{dump.output};
        for (std::string line; std::getline(text, line);) {
            const auto blank = line.find(' ');
            CHECK_MESSAGE(found.emplace(line.substr(0, blank), line.substr(blank + 1)).second,
                          line);
        }
        REQUIRE(found.size() == keys + 2);
        const auto behind = std::stoi(found.at("\"a\"")) - std::stoi(found.at("\"z\""));
        CHECK((behind == 0 || behind == 1));
    }
}

TEST_CASE("a request to which all answer by an error has failed")
{
    const Site site;
    UsherProcess usher{site.run()};
    usher.wait_until_ready(1);
    const auto failed = ask(usher, "web", {{"op", "fail"}});
    CHECK(failed.code == 1);
    CHECK(failed.output == "web/1 error: as asked\nusher: each answer is an error\n");
    CHECK(ask(usher, "web", {{"op", "size"}}).code == 0);
    CHECK(ask(usher, "web", {{"op", "size"}}, {"--expect", "1"}).code == 0);
    const auto few = ask(usher, "web", {{"op", "size"}}, {"--expect", "2"});
    CHECK(few.code == 1);
    CHECK(few.output == "web/1 0\nusher: 1 answer without an error, but 2 were expected\n");
    CHECK(usher.stop().code == 0);
}

TEST_CASE("every command that is for one pool says which there are, and how to name one")
{
    const Site site{{"jobs"}};
    UsherProcess usher{site.run()};
    usher.wait_until_ready(2);
    const std::vector<std::vector<std::string>> commands{
        {"restart", "1"},
        {"drain", "1"},
        {"scale", "1"},
        {"send", "1", "--worker", "1"},
        {"publish", "a", "1"},
        {"subscribe", "a"},
        {"request", "a", "1"},
        {"store", "get", "k"},
        {"store", "put", "k", "1"},
        {"store", "erase", "k"},
        {"store", "increment", "k"},
        {"store", "watch"},
        {"store", "dump"},
    };
    for (auto command : commands) {
        CAPTURE(command.front());
        CAPTURE(command.at(1));
        const auto unclear = usher.command(command);
        CHECK(unclear.code == 2);
        CHECK(unclear.output ==
              "usher: there are several pools; say which by --pool NAME: web, jobs\n");
        command.insert(command.end(), {"--pool", "no"});
        const auto unknown = usher.command(command);
        CHECK(unknown.code == 2);
        CHECK(unknown.output == "usher: there is no pool \"no\"; there is web, jobs\n");
    }
    CHECK(usher.stop().code == 0);
}

TEST_CASE("status says which pools share a bus")
{
    Site site{{"jobs"}, "shop"};
    auto alone = site.pool;
    alone["name"] = "alone";
    alone.erase("bus");
    site.more_pools.push_back(alone);
    site.write();
    UsherProcess usher{site.run()};
    usher.wait_until_ready(3);
    std::vector<json> shares;
    const auto status = json::parse(usher.command({"status", "--json"}).output);
    for (const auto& pool : status.at("pools"))
        shares.push_back(pool.at("bus_share"));
    CHECK(shares == std::vector<json>{"shop", "shop", nullptr});
    CHECK(usher.command({"status"}).output.find("\nbus shop, with all that share it\n") !=
          std::string::npos);
    CHECK(usher.stop().code == 0);
}

TEST_CASE("a worker that never speaks on the bus is sent nothing")
{
    Site site{{}, "shop"};
    auto silent = site.pool;
    silent["name"] = "silent";
    silent["command"] = {"sleep", "1000"};
    site.more_pools.push_back(silent);
    site.write();
    UsherProcess usher{site.run()};
    usher.wait_until_ready(2);
    const json lines = {{{"type", "send"}, {"id", "s"}, {"pool", "silent"}, {"data", 1}},
                        {{"type", "send"}, {"id", "w"}, {"slot", 1}, {"data", 1}}};
    REQUIRE(ask(usher, "web", {{"op", "say"}, {"lines", lines}}).code == 0);
    const auto last = ask(usher, "web", {{"op", "last"}}).output;
    std::map<std::string, json> receivers;
    for (const auto& line : json::parse(last.substr(last.find(' '))))
        if (line.contains("receivers"))
            receivers[line.at("id")] = line.at("receivers");
    CHECK(receivers == std::map<std::string, json>{{"s", 0}, {"w", 1}});
}

TEST_SUITE_END();

} // namespace usher::bus_commands_test
