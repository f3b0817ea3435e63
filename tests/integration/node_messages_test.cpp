// SPDX-License-Identifier: MIT
// What the programs of Node workers and the master say to each other, in both serializations.
#include "tests/support/build.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/node_site.hpp"
#include "tests/support/process_facts.hpp"

#include <doctest/doctest.h>
#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <set>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

namespace usher::node_messages_test {

using namespace usher::test;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

constexpr std::size_t mebibyte = 1024UL * 1024;

const std::vector<const char*> serializations{"json", "advanced"};

json with(const char* serialization)
{
    return {{"node", {{"serialization", serialization}}}};
}

/// `usher send - OPTIONS`, which reads `text`.
UsherProcess::CommandResult send_from_input(const UsherProcess& usher, const std::string& text)
{
    const TempDir folder;
    const auto file = folder.write("message.json", text);
    UsherProcess client{{"send", "--control", usher.control_path(), "-"},
                        [&] { ::dup2(::open(file.c_str(), O_RDONLY | O_CLOEXEC), 0); }};
    const auto status = client.wait();
    return {.code = status.code, .output = client.log()};
}

/// The messages of the events that are messages, the oldest first.
std::vector<std::string> messages(const UsherProcess& usher)
{
    std::vector<std::string> result;
    const auto output = usher.command({"events", "--json"}).output;
    std::size_t begin = 0;
    while (begin < output.size()) {
        const auto end = output.find('\n', begin);
        const auto event = json::parse(output.substr(begin, end - begin));
        if (event.value("event", "") == "message")
            result.push_back(event.at("message"));
        begin = end + 1;
    }
    return result;
}

bool any_contains(const std::vector<std::string>& texts, const std::string& part)
{
    return std::ranges::any_of(
        texts, [&](const auto& text) { return text.find(part) != std::string::npos; });
}

} // namespace

TEST_SUITE_BEGIN("node_messages");

TEST_CASE("with V8's format connections go round as with JSON")
{
    auto site = NodeSite::of(3, {"http"}, with("advanced"));
    site.usher.wait_until_ready(3);
    std::vector<int> slots;
    for (int i = 0; i < 60; ++i)
        slots.push_back(get(site.usher.port(), "/").slot());
    for (std::size_t i = 3; i < slots.size(); ++i)
        CHECK(slots[i] == slots[i - 3]);
    CHECK(std::set<int>(slots.begin(), slots.end()).size() == 3);
    CHECK(site.usher.command({"restart", "all"}).code == 0);
    CHECK(get(site.usher.port(), "/").ok());
    CHECK(site.usher.stop() == usher::sys::ExitStatus{});
    CHECK(site.usher.count("retired") == 0);
}

TEST_CASE("with V8's format sockets are shared and errors told as with JSON")
{
    for (const char* const policy : {"none", "reuseport"}) {
        CAPTURE(policy);
        auto site = NodeSite::of(2, {"http", "udp"},
                                 {{"node", {{"serialization", "advanced"}, {"policy", policy}}}});
        site.usher.wait_until_ready(2);
        CHECK(get(site.usher.port(), "/").ok());
        CHECK(site.usher.stop() == usher::sys::ExitStatus{});
    }
    auto first = NodeSite::of(1, {"http"});
    first.usher.wait_until_ready(1);
    auto second =
        NodeSite::of(1, {"http", "http:" + std::to_string(first.usher.port())}, with("advanced"));
    second.usher.wait_for("error EADDRINUSE bind");
}

TEST_CASE("a worker that disconnects by itself is answered in V8's format, too")
{
    for (const char* const way : {"/leave", "/cut"}) {
        CAPTURE(way);
        auto site = NodeSite::of(1, {"http"}, with("advanced"));
        site.usher.wait_until_ready(1);
        CHECK(get(site.usher.port(), way).ok());
        site.usher.wait_for("exited with code 0");
        CHECK(get(site.usher.port(), "/").ok());
    }
}

TEST_CASE("what JSON cannot say disturbs nobody, and is shown by its size")
{
    auto site = NodeSite::of(2, {"send-rich", "http"}, with("advanced"));
    site.usher.wait_until_ready(2);
    site.usher.wait_for_count("message {\"plain\":\"\xc3\xa9\"}", 2);
    CHECK(site.usher.count("message (a message of ") == 8);
    CHECK(site.usher.count("retired") == 0);
    CHECK(get(site.usher.port(), "/").ok());
}

TEST_CASE("half a character is no reason to end a worker")
{
    for (const char* const serialization : serializations) {
        CAPTURE(serialization);
        auto site = NodeSite::of(1, {"send-half", "http"}, with(serialization));
        site.usher.wait_for("message {\"half\":");
        site.usher.wait_until_ready(1);
        CHECK(get(site.usher.port(), "/").ok());
        CHECK(site.usher.count("retired") == 0);
    }
}

TEST_CASE("a message is sent to one worker or to all")
{
    for (const char* const serialization : serializations) {
        CAPTURE(serialization);
        auto site = NodeSite::of(3, {"listen-to-messages", "http"}, with(serialization));
        site.usher.wait_until_ready(3);

        const auto all = site.usher.command({"send", R"( {"a": [1, "\u00e9", null]} )"});
        CHECK(all.code == 0);
        CHECK(all.output == "sent to 3 workers\n");
        site.usher.wait_for_count("got {\"a\":[1,\"\xc3\xa9\",null]}", 3);

        const auto one = site.usher.command({"send", "-7", "--worker", "2"});
        CHECK(one.code == 0);
        CHECK(one.output == "sent to 1 worker\n");
        CHECK(site.usher.wait_for("got -7").find("[default/2]") != std::string::npos);
        CHECK(site.usher.count("got -7") == 1);
    }
}

TEST_CASE("large messages go both ways, in order")
{
    constexpr int count = 8;
    constexpr std::size_t size = with_sanitizers ? mebibyte / 4 : mebibyte; // many reads each
    const auto digits = std::to_string(size).substr(0, 4); // of the whole message's size, too
    const auto go_both_ways = [&](UsherProcess& usher) {
        usher.wait_until_ready(1);
        for (int number = 0; number < count; ++number) {
            const json message{{"number", number}, {"text", std::string(size, 'y')}};
            CHECK(send_from_input(usher, message.dump()).code == 0);
        }
        usher.wait_for_count("got number ", count);
        usher.wait_for_count("(a message of " + digits, count);
        const auto log = usher.log();
        std::size_t got = 0;
        std::size_t sent = 0;
        for (int number = 0; number < count; ++number) {
            const auto text = std::to_string(number);
            got = log.find(fmt::format("got number {}, {}", text, digits), got);
            sent = log.find(fmt::format(R"(message {{"number":{},"text")", text), sent);
            REQUIRE(got != std::string::npos);
            REQUIRE(sent != std::string::npos);
        }
        CHECK(get(usher.port(), "/").ok());
    };
    for (const int version : node_versions)
        for (const char* const serialization : serializations) {
            CAPTURE(version);
            CAPTURE(serialization);
            auto site = NodeSite::of_version(
                version, 1, {"listen-to-messages", "send-large:8:" + std::to_string(size), "http"},
                with(serialization));
            go_both_ways(site.usher);
        }
}

TEST_CASE("long messages are cut in the log and in the events, and their size is said")
{
    for (const char* const serialization : serializations) {
        CAPTURE(serialization);
        auto site = NodeSite::of(1, {"send-large:100:8192", "http"}, with(serialization));
        site.usher.wait_until_ready(1);
        CHECK(site.usher.command({"send", "null"}).code == 0);
        site.usher.wait_for("{\"number\":99,");
        const auto line = site.usher.wait_for("{\"number\":0,");
        CHECK(line.size() < 5'000);
        CHECK(line.find("xxx... (a message of 82") != std::string::npos);

        // What is kept is bounded, whatever is sent.
        const auto kept = messages(site.usher);
        CHECK(any_contains(kept, "{\"number\":99,"));
        CHECK_FALSE(any_contains(kept, "{\"number\":0,"));
        std::size_t bytes = 0;
        for (const auto& message : kept)
            bytes += message.size();
        CHECK(bytes <= 256 * 1024);
    }
}

TEST_CASE("a socket that comes with a message is closed, and the worker is told that it came")
{
    for (const char* const serialization : serializations) {
        CAPTURE(serialization);
        auto site = NodeSite::of(1, {"http", "send-socket"}, with(serialization));
        site.usher.wait_until_ready(1);
        site.usher.wait_for("message {\"socket\":true}, with a descriptor, which was closed");
        site.usher.wait_for("peer closed");
        CHECK(get(site.usher.port(), "/").ok()); // its other messages are not held up
        CHECK(site.usher.count("retired") == 0);
    }
}

TEST_CASE("a message waits for a worker that is starting until it listens")
{
    const TempDir folder;
    const auto go = folder.path() / "go";
    // As a module that awaits, it would lose what came before.
    const auto program = folder.write("late.mjs", R"(
        import fs from 'node:fs';
        import http from 'node:http';
        console.log('waiting');
        while (!fs.existsSync(process.argv[2]))
            await new Promise((resolve) => setTimeout(resolve, 5));
        process.on('message', (message) => console.log(`got ${JSON.stringify(message)}`));
        http.createServer().listen(0, '127.0.0.1');
    )");
    for (const char* const serialization : serializations) {
        CAPTURE(serialization);
        const json config{{"pools",
                           {{{"dialect", "node"},
                             {"workers", 1},
                             {"command", {node_program(), program, go}},
                             {"node", {{"serialization", serialization}}}}}}};
        UsherProcess usher{{"run", "--config", folder.write("usher.json", config.dump())}};
        usher.wait_for("waiting");
        for (const char* const message : {"1", "2"}) {
            const auto result = usher.command({"send", message});
            CHECK(result.code == 0);
            CHECK(result.output == "1 worker gets it once listening\n");
        }
        std::ignore = folder.write("go", "");
        usher.wait_until_ready(1);
        CHECK(usher.command({"send", "3"}).output == "sent to 1 worker\n");
        usher.wait_for("got 3");
        CHECK(usher.log().find("got 1") < usher.log().find("got 2"));
        CHECK(usher.log().find("got 2") < usher.log().find("got 3"));
        std::filesystem::remove(go);
    }
}

TEST_CASE("a message reaches the slot that usher scale is still starting")
{
    const TempDir folder;
    const auto go = folder.path() / "go";
    const auto program = folder.write("late.mjs", R"(
        import fs from 'node:fs';
        import http from 'node:http';
        process.on('message', (message) => console.log(`got ${JSON.stringify(message)}`));
        while (process.env.USHER_SLOT !== '1' && !fs.existsSync(process.argv[2]))
            await new Promise((resolve) => setTimeout(resolve, 5));
        http.createServer().listen(0, '127.0.0.1');
    )");
    const json config{
        {"pools",
         {{{"dialect", "node"}, {"workers", 1}, {"command", {node_program(), program, go}}}}}};
    UsherProcess usher{{"run", "--config", folder.write("usher.json", config.dump())}};
    usher.wait_until_ready(1);
    std::thread scaling{[&] { CHECK(usher.command({"scale", "2"}).code == 0); }};
    usher.wait_for("worker 2 (pid ");
    const auto result = usher.command({"send", R"("hello")", "--worker", "2"});
    CHECK(result.code == 0);
    CHECK(result.output == "1 worker gets it once listening\n");
    std::ignore = folder.write("go", "");
    usher.wait_for(R"([default/2] got "hello")");
    scaling.join();
}

TEST_CASE("a worker that does not read is named, and the others get the message" *
          doctest::skip(with_sanitizers)) // 64 MiB of JSON
{
    auto site = NodeSite::of(2, {"listen-to-messages", "http"}, {{"stall_timeout", "0s"}});
    site.usher.wait_until_ready(2);
    const auto stopped = site.usher.worker_pid(1);
    ::kill(stopped, SIGSTOP);
    REQUIRE(eventually([&] { return state_of(stopped) == 'T'; }));

    const auto large = '"' + std::string(3 * mebibyte, 'x') + '"';
    UsherProcess::CommandResult result{.code = 0, .output = {}};
    int count = 0;
    for (; count < 30 && result.code == 0; ++count)
        result = send_from_input(site.usher, large);
    CHECK(result.code == 1);
    CHECK(result.output == "usher: sent to 1 worker; not sent to worker 1, where too much waits "
                           "already that was not read\n");
    CHECK(count > 20); // 64 MiB
    site.usher.wait_for_count("got number undefined, 3145730", static_cast<std::size_t>(count));

    // What waits is delivered, and the worker serves on.
    ::kill(stopped, SIGCONT);
    site.usher.wait_for_count("got number undefined", static_cast<std::size_t>(2 * count - 1));
    CHECK(site.usher.command({"send", "1"}).output == "sent to 2 workers\n");
    for (int i = 0; i < 4; ++i)
        CHECK(get(site.usher.port(), "/").ok());
}

TEST_CASE("a message that is none is refused with one sentence")
{
    auto site = NodeSite::of(1, {"listen-to-messages", "http"});
    site.usher.wait_until_ready(1);
    const auto refused = [&](std::vector<std::string> arguments, int code,
                             const std::string& text) {
        arguments.insert(arguments.begin(), "send");
        const auto result = site.usher.command(arguments);
        CAPTURE(result.output);
        CHECK(result.code == code);
        CHECK(result.output.find(text) != std::string::npos);
        CHECK(std::ranges::count(result.output, '\n') == 1);
    };
    refused({"{"}, 2, "the message: line 1, column 2: is not JSON");
    refused({"stop"}, 2, "is not JSON");
    refused({R"({"a":1,"a":2})"}, 2, "the message: /a: appears twice");
    refused({R"({"cmd":"NODE_CLUSTER","act":"disconnect"})"}, 2, "Node's own messages");
    refused({std::string(100, '[') + std::string(100, ']')}, 2, "nested deeper");
    refused({}, 2, "JSON|- is required");
    refused({"1", "--worker", "0"}, 2, "--worker: Value 0 not in range 1 to 1024");
    refused({"1", "--worker", "2"}, 2, "there is no slot 2");
    refused({"1", "--pool", "other"}, 2, "there is no pool \"other\"");

    const auto long_one = send_from_input(site.usher, '"' + std::string(4 * mebibyte, 'x') + '"');
    CHECK(long_one.code == 2);
    CHECK(long_one.output == "usher: the message: is longer than 4 MiB\n");
    CHECK(site.usher.count("got ") == 0);
}

TEST_CASE("pools whose programs take no messages say so, and are passed over where all are meant")
{
    UsherProcess native{run_demo(1)};
    native.wait_until_ready(1);
    const auto alone = native.command({"send", "1"});
    CHECK(alone.code == 1);
    CHECK(alone.output == "usher: no pool takes messages, only those of dialect node do\n");

    const TempDir folder;
    const json config{
        {"pools",
         {{{"name", "old"},
           {"workers", 1},
           {"command", {demo_program()}},
           {"listen", "localhost:0"}},
          {{"name", "new"},
           {"workers", 2},
           {"dialect", "node"},
           {"command",
            {node_program(), NodeSite::script("server.js"), "listen-to-messages", "http"}}}}}};
    UsherProcess usher{{"run", "--config", folder.write("usher.json", config.dump())}};
    usher.wait_until_ready(3);
    CHECK(usher.command({"send", "1"}).output == "sent to 2 workers\n");
    CHECK(usher.command({"send", "1", "--pool", "new", "--worker", "1"}).code == 0);
    const auto named = usher.command({"send", "1", "--pool", "old"});
    CHECK(named.code == 1);
    CHECK(named.output == "usher: pool \"old\" takes no messages, only those of dialect node do\n");
    CHECK(usher.command({"send", "1", "--worker", "1"}).output ==
          "usher: there are several pools; say which by --pool NAME: old, new\n");
}

TEST_CASE("a reload brings another serialization by new workers")
{
    const TempDir folder;
    const auto write = [&](const char* serialization) {
        const json config{
            {"log_level", "debug"},
            {"pools",
             {{{"dialect", "node"},
               {"workers", 2},
               {"command",
                {node_program(), NodeSite::script("server.js"), "listen-to-messages", "http"}},
               {"node", {{"serialization", serialization}}}}}}};
        return folder.write("usher.json", config.dump());
    };
    UsherProcess usher{{"run", "--config", write("json")}};
    usher.wait_until_ready(2);
    const auto old = usher.worker_pid(1);
    std::ignore = write("advanced");
    CHECK(usher.command({"reload"}).code == 0);
    usher.wait_until_ready(4);
    CHECK(usher.worker_pid(1) != old);
    CHECK(get(usher.port(), "/").ok());
    CHECK(usher.command({"send", "{}"}).code == 0);
    usher.wait_for_count("got {}", 2);
    CHECK(usher.count("retired") == 0);
}

TEST_SUITE_END();

} // namespace usher::node_messages_test
