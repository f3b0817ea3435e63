// SPDX-License-Identifier: MIT
// The worker half of Node's cluster, run by real Node.
#include "tests/support/eventually.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/load.hpp"
#include "tests/support/node_site.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <set>
#include <vector>

namespace usher::node_cluster_test {

using namespace usher::test;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

/// The slots that answer `count` requests, one connection each.
std::vector<int> slots_of(std::uint16_t port, int count)
{
    std::vector<int> slots;
    for (int i = 0; i < count; ++i)
        slots.push_back(get(port, "/").slot());
    return slots;
}

/// How often the order of the first `round` is broken.
std::size_t exceptions(const std::vector<int>& slots, std::size_t round)
{
    std::size_t count = 0;
    for (std::size_t i = round; i < slots.size(); ++i)
        count += slots[i] != slots[i - round] ? 1U : 0U;
    return count;
}

json status(const UsherProcess& usher)
{
    return json::parse(usher.command({"status", "--json"}).output);
}

} // namespace

TEST_SUITE_BEGIN("node_cluster");

TEST_CASE("a cluster program runs unmodified, and its connections go round without one exception")
{
    const TempDir folder;
    const auto program = folder.write("server.js", R"(
        const cluster = require('cluster'), http = require('http');
        if (cluster.isPrimary) { for (let i = 0; i < 4; i++) cluster.fork(); }
        else http.createServer((req, res) => {
            res.writeHead(200, {'X-Slot': process.env.USHER_SLOT, 'Content-Length': 14});
            res.end('Hello, World!\n');
        }).listen(0);
    )");
    UsherProcess usher{{"run", "--dialect", "node", "--workers", "4", "--", "node", program}};
    usher.wait_until_ready(4);
    const auto slots = slots_of(usher.port(), 400);
    CHECK(std::set<int>(slots.begin(), slots.begin() + 4) == std::set<int>{1, 2, 3, 4});
    CHECK(exceptions(slots, 4) == 0);
    CHECK(get(usher.port(), "/").body == "Hello, World!\n");
    CHECK(usher.stop() == usher::sys::ExitStatus{});
}

TEST_CASE("a wide window goes round as well")
{
    auto site = NodeSite::of(3, {"http"}, {{"node", {{"window", 16}}}});
    site.usher.wait_until_ready(3);
    CHECK(exceptions(slots_of(site.usher.port(), 150), 3) == 0);
}

TEST_CASE("all workers share the port that the kernel chose, and each of their servers has its own")
{
    auto site = NodeSite::of(2, {"http", "http", "anywhere"});
    site.usher.wait_until_ready(2);
    site.usher.wait_for_count("listening on", 3);
    CHECK(site.usher.count("listening on") == 3);
    for (std::size_t server = 0; server < 3; ++server) {
        const auto slots = slots_of(site.usher.port(server), 10);
        CHECK(std::set<int>(slots.begin(), slots.end()) == std::set<int>{1, 2});
    }
}

TEST_CASE("a server without an address takes IPv4 and IPv6, and has the backlog it asks for")
{
    auto site = NodeSite::of(1, {"anywhere"});
    site.usher.wait_until_ready(1);
    CHECK(site.usher.wait_for("listening on").find("[::]:") != std::string::npos);
    CHECK(get(site.usher.port(), "/").ok());
}

TEST_CASE("a server on a Unix socket has the rights it asks for, and its file goes with usher")
{
    const TempDir folder;
    const std::string path = folder.path() / "socket";
    auto site = NodeSite::of(2, {"unix:" + path});
    site.usher.wait_until_ready(2);

    std::set<int> slots;
    for (int i = 0; i < 4; ++i) {
        HttpClient client{path};
        client.send_get("/");
        slots.insert(client.read_answer().slot());
    }
    CHECK(slots == std::set<int>{1, 2});
    using std::filesystem::perms;
    const auto rights = std::filesystem::status(path).permissions();
    CHECK((rights & perms::others_write) != perms::none);
    CHECK((rights & perms::others_read) != perms::none);
    CHECK(site.usher.stop() == usher::sys::ExitStatus{});
    CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("a program that removes its socket's file before it listens is found all the same")
{
    const TempDir folder;
    const auto path = (folder.path() / "socket").string();
    const auto program = folder.write("server.js", R"(
        const fs = require('fs'), path = process.argv[2];
        fs.rmSync(path, {force: true});
        require('http').createServer((request, response) => {
            response.setHeader('X-Slot', process.env.USHER_SLOT);
            response.end('hello\n');
        }).listen(path);
    )");
    auto site = NodeSite::of_program({node_program(), program}, 2, {path});
    site.usher.wait_until_ready(2);
    const auto check_served = [&] {
        std::set<int> slots;
        for (int i = 0; i < 4; ++i) {
            HttpClient client{path};
            client.send_get("/");
            slots.insert(client.read_answer().slot());
        }
        CHECK(slots == std::set<int>{1, 2});
    };
    check_served();
    CHECK(site.usher.command({"reload"}).code == 0);
    check_served();
    CHECK(site.usher.count("somebody has removed the file, which was opened anew") >= 2);
    CHECK(site.usher.stop() == usher::sys::ExitStatus{});
    CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("a port that is taken is the worker's error, as from Node's own primary")
{
    auto first = NodeSite::of(1, {"http"});
    first.usher.wait_until_ready(1);
    const auto port = std::to_string(first.usher.port());

    auto second = NodeSite::of(1, {"http", "http:" + port});
    second.usher.wait_for("error EADDRINUSE bind");
    second.usher.wait_for("127.0.0.1:" + port + ": cannot listen: Address already in use");
}

TEST_CASE("a worker that listens on one port twice gets an error for the second")
{
    auto first = NodeSite::of(1, {"http"});
    first.usher.wait_until_ready(1);
    const auto port = std::to_string(first.usher.port());
    first.usher.stop();

    auto site = NodeSite::of(2, {"http:" + port, "http:" + port});
    site.usher.wait_until_ready(2);
    site.usher.wait_for_count("error EADDRINUSE bind", 2);
    CHECK(get(site.usher.port(), "/").ok());
}

TEST_CASE("listeners in the configuration are where servers may listen, and nowhere else")
{
    auto site = NodeSite::of(1, {"http", "http:1"}, {{"listen", {"127.0.0.1:0"}}});
    site.usher.wait_until_ready(1);
    site.usher.wait_for("may not listen on 127.0.0.1:1, because \"listen\" does not say so");
    site.usher.wait_for("error EACCES bind");
    CHECK(get(site.usher.port(), "/").ok());
}

TEST_CASE("a worker that does not listen in time has failed to start")
{
    auto site = NodeSite::of(1, {"exclusive"}, {{"start_timeout", "1s"}, {"start_attempts", 1}});
    site.usher.wait_for("not ready after 1s");
    site.usher.wait_for("set node.ready to \"online\"");
    CHECK(site.usher.wait() == usher::sys::ExitStatus{.by_signal = false, .code = 1});
}

TEST_CASE("a worker without a server of the cluster's is ready when it is told to be")
{
    auto online = NodeSite::of(1, {"exclusive"}, {{"node", {{"ready", "online"}}}});
    online.usher.wait_until_ready(1);
    online.usher.wait_for("exclusive");

    auto message = NodeSite::of(1, {"exclusive", "send:\"ready\""});
    message.usher.wait_until_ready(1);
}

TEST_CASE("status says what is known of Node workers, and what is not")
{
    auto site = NodeSite::of(2, {"http"});
    site.usher.wait_until_ready(2);
    std::ignore = slots_of(site.usher.port(), 6);

    const auto pool = status(site.usher).at("pools").at(0);
    CHECK(pool.at("dialect") == "node");
    CHECK(pool.at("handed_off") == 6);
    CHECK(pool.at("listening").at(0) == "127.0.0.1:" + std::to_string(site.usher.port()));
    for (const auto& worker : pool.at("workers")) {
        CHECK(worker.at("handed_off") == 3);
        CHECK(worker.at("queued") == 0);
        CHECK(worker.at("open").is_null());
    }
    CHECK(site.usher.command({"status"}).output.find("unknown") != std::string::npos);
}

TEST_CASE("a worker that drains finishes what it has, and ends by itself")
{
    auto site = NodeSite::of(1, {"http"});
    site.usher.wait_until_ready(1);
    HttpClient client{site.usher.port()};
    client.send_get("/slow");
    HttpClient second{site.usher.port()}; // accepted after the first
    second.send_get("/");
    CHECK(second.read_answer().ok());

    site.usher.signal(SIGTERM);
    CHECK(client.read_answer().ok());
    CHECK(site.usher.wait() == usher::sys::ExitStatus{});
    site.usher.wait_for("exited with code 0");
    CHECK(site.usher.count("SIGTERM,") == 0);
}

TEST_CASE("under load, restart, scale and reload cost no client its answer")
{
    auto site = NodeSite::of(2, {"http"});
    site.usher.wait_until_ready(2);
    Load load{site.usher.port(), 4};
    load.wait_for(100);
    CHECK(site.usher.command({"restart", "all"}).code == 0);
    load.wait_for(100);
    CHECK(site.usher.command({"scale", "3"}).code == 0);
    load.wait_for(100);
    CHECK(site.usher.command({"reload"}).code == 0);
    load.wait_for(100);
    CHECK(site.usher.command({"scale", "1"}).code == 0);
    load.wait_for(100);
    load.stop();
    CHECK(load.problems() == 0);
    CHECK(load.first_problem() == "");
    CHECK(site.usher.count("listening on") == 1); // one listener from the first to the last
}

TEST_CASE("a server that new workers do not have any more is closed, the others stay")
{
    const TempDir folder;
    const auto path = folder.path() / "socket";
    const auto write = [&](std::vector<std::string> command) {
        command.insert(command.begin(), {node_program(), NodeSite::script("server.js"), "http"});
        const json config{{"log_level", "debug"},
                          {"pools", {{{"dialect", "node"}, {"workers", 2}, {"command", command}}}}};
        return folder.write("usher.json", config.dump());
    };
    UsherProcess usher{{"run", "--config", write({"unix:" + path.string()})}};
    usher.wait_until_ready(2);
    usher.wait_for_count("listening on", 2);
    CHECK(std::filesystem::exists(path));

    std::ignore = write({});
    CHECK(usher.command({"reload"}).code == 0);
    CHECK(usher.wait_for("no longer listening on").find(path.string()) != std::string::npos);
    CHECK(eventually([&] { return !std::filesystem::exists(path); })); // by a thread
    CHECK(usher.count("no longer listening on") == 1);
    CHECK(get(usher.port(), "/").ok());
}

TEST_CASE("a server that nobody has while the next worker is still to come stays")
{
    auto site = NodeSite::of(1, {"http"}, {{"restart", {{"first_delay", "7s"}}}});
    site.usher.wait_until_ready(1);
    ::kill(site.usher.worker_pid(1), SIGKILL);
    HttpClient client{site.usher.port()};
    client.send_get("/");
    CHECK(client.read_answer().ok()); // after more than the 5 s for which nobody has it
    CHECK(site.usher.count("no longer listening on") == 0);
    CHECK(site.usher.count("listening on") == 1);
}

TEST_CASE("a worker is replaced after as many connections as it may have")
{
    auto site = NodeSite::of(1, {"http"}, {{"max_connections", 5}});
    site.usher.wait_until_ready(1);
    for (std::size_t replaced = 1; replaced <= 2; ++replaced) {
        for (int i = 0; i < 5; ++i)
            CHECK(get(site.usher.port(), "/").ok());
        site.usher.wait_for_count("is replaced, because it was given 5 connections", replaced);
        site.usher.wait_for_count("exited with code 0", replaced);
    }
}

TEST_CASE("a worker that disconnects by itself is answered, ends, and is started again")
{
    for (const char* const way : {"/leave", "/cut"}) {
        CAPTURE(way);
        auto site = NodeSite::of(1, {"http"});
        site.usher.wait_until_ready(1);
        CHECK(get(site.usher.port(), way).ok());
        site.usher.wait_for("exited with code 0");
        CHECK(get(site.usher.port(), "/").ok()); // waited in the backlog
        CHECK(site.usher.count("listening on") == 1);
    }
}

TEST_CASE("nothing of the channel is in the environment of a worker's own programs")
{
    const TempDir folder;
    const auto program = folder.write("print.js", R"(
        console.log('left: ' + Object.keys(process.env).filter(
            (name) => /^NODE_(CHANNEL|UNIQUE)/.test(name)).length);
        console.log('worker ' + require('cluster').worker.id);
        require('http').createServer().listen(0);
    )");
    UsherProcess usher{{"run", "--dialect", "node", "--workers", "1", "--", "node", program}};
    usher.wait_for("left: 0");
    usher.wait_for("] worker 1");
}

TEST_SUITE_END();

} // namespace usher::node_cluster_test
