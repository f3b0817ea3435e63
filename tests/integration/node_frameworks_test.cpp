// SPDX-License-Identifier: MIT
// What workers are written with, in every version of Node; and Deno.
#include "tests/support/certificate.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/load.hpp"
#include "tests/support/node_site.hpp"
#include "tests/support/process_facts.hpp"
#include "tests/support/shell.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <csignal>
#include <set>
#include <string>
#include <vector>

namespace usher::node_frameworks_test {

using namespace usher::test;
using nlohmann::json;

namespace {

/// Workers of all versions that use `framework`, each spoken to by six clients.
void try_framework(const std::string& framework, const json& pool = json::object())
{
    for (const int version : node_versions) {
        CAPTURE(version);
        auto site = NodeSite::of_program(
            {node_program(version), NodeSite::script("framework_worker.js")}, 2, {framework}, pool);
        site.usher.wait_until_ready(2);
        CHECK(output_of(node_program() + " " + NodeSite::script("framework_client.js") + " " +
                        framework + " " + std::to_string(site.usher.port()) + " 6 2>&1") ==
              "good 6, workers 2\n");
        CHECK(site.usher.stop() == usher::sys::ExitStatus{});
        INFO(site.usher.log());
        CHECK(site.usher.count("exited with code 0") == 2);
    }
}

json with_certificate(const TempDir& folder)
{
    make_certificate(folder);
    return {{"env", {{"CERTIFICATES", folder.path()}}}};
}

/// A WebSocket message of a client: one frame, masked with zeros.
std::string frame(const std::string& text)
{
    return std::string{"\x81"} + static_cast<char>(0x80U | text.size()) + std::string(4, '\0') +
           text;
}

} // namespace

TEST_SUITE_BEGIN("node_frameworks");

TEST_CASE("Express")
{
    try_framework("express");
}

TEST_CASE("Fastify")
{
    try_framework("fastify");
}

TEST_CASE("HTTPS")
{
    const TempDir folder;
    try_framework("https", with_certificate(folder));
}

TEST_CASE("HTTP/2")
{
    const TempDir folder;
    try_framework("http2", with_certificate(folder));
}

TEST_CASE("WebSocket, with ws")
{
    try_framework("ws");
}

TEST_CASE("Socket.IO, by WebSocket alone")
{
    try_framework("socket.io");
}

TEST_CASE("an open WebSocket stays with its worker when that is replaced, for as long as it may")
{
    for (const int version : node_versions) {
        CAPTURE(version);
        auto site = NodeSite::of_program(
            {node_program(version), NodeSite::script("framework_worker.js")}, 1, {"ws"});
        site.usher.wait_until_ready(1);
        const auto old = site.usher.worker_pid(1);
        HttpClient client{site.usher.port()};
        client.send("GET / HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
                    "\r\n");
        CHECK(client.read_line() == "HTTP/1.1 101 Switching Protocols\r");
        while (client.read_line() != "\r") {
        }
        CHECK(site.usher.command({"reload"}).code == 0);
        site.usher.wait_until_ready(2);
        client.send(frame("still there?\n"));
        CHECK(client.read_line() == "\x82\rstill there?");
        CHECK(state_of(old) != 0);
        client.close();
        site.usher.wait_for("exited with code 0");
    }
}

namespace {

NodeSite deno_site(const TempDir& folder, unsigned workers, const std::vector<std::string>& what)
{
    return NodeSite::of_program(
        {deno_program(), "run", "--allow-all", "--no-lock", NodeSite::script("server.js")}, workers,
        what,
        // What it keeps is to go with us, and it shall ask nobody for a newer one.
        {{"env", {{"DENO_DIR", folder.path()}, {"DENO_NO_UPDATE_CHECK", "1"}}}});
}

} // namespace

TEST_CASE("Deno finds a connection that came while it had a message to read")
{
    const TempDir folder;
    auto site = deno_site(folder, 1, {"http"});
    site.usher.wait_until_ready(1);
    const auto worker = site.usher.worker_pid(1);
    REQUIRE(get(site.usher.port(), "/").ok());
    REQUIRE(::kill(worker, SIGSTOP) == 0);
    CHECK(site.usher.command({"send", R"("hello")"}).code == 0);
    HttpClient client{site.usher.port()};
    client.send_get("/");
    CHECK(eventually([&] {
        const auto status = site.usher.command({"status", "--json"}).output;
        return nlohmann::json::parse(status).at("pools").at(0).at("workers").at(0).at("queued") ==
               1;
    }));
    REQUIRE(::kill(worker, SIGCONT) == 0);
    CHECK(client.read_answer().ok());
    CHECK(site.usher.worker_pid(1) == worker); // it was not taken for one that hangs
}

TEST_CASE("Deno is a worker like Node")
{
    const TempDir folder;
    auto site = deno_site(folder, 2, {"http", "http"});
    site.usher.wait_until_ready(2);
    site.usher.wait_for_count("listening on", 2);
    for (const std::size_t server : {0, 1}) {
        std::set<int> slots;
        for (int i = 0; i < 6; ++i)
            slots.insert(get(site.usher.port(server), "/").slot());
        CHECK(slots == std::set{1, 2});
    }
    Load load{site.usher.port(), 4};
    load.wait_for(100);
    CHECK(site.usher.command({"reload"}).code == 0);
    load.wait_for(100);
    load.stop();
    CHECK(load.first_problem() == "");

    HttpClient client{site.usher.port()};
    client.send_get("/slow");
    CHECK(site.usher.stop() == usher::sys::ExitStatus{});
    CHECK(client.read_answer().ok());
    INFO(site.usher.log());
    CHECK(site.usher.count("exited with code 0") == 4);
}

TEST_SUITE_END();

} // namespace usher::node_frameworks_test
