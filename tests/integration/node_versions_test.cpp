// SPDX-License-Identifier: MIT
// What every version of Node must do as a worker.
#include "tests/support/http_client.hpp"
#include "tests/support/node_site.hpp"
#include "tests/support/sockets.hpp"

#include <doctest/doctest.h>

#include <set>
#include <string>
#include <vector>

namespace usher::node_versions_test {

using namespace usher::test;

namespace {

std::set<int> slots_of(std::uint16_t port, int count)
{
    std::set<int> slots;
    for (int i = 0; i < count; ++i)
        slots.insert(get(port, "/").slot());
    return slots;
}

} // namespace

TEST_SUITE_BEGIN("node_versions");

TEST_CASE("connections go round four workers without one exception")
{
    for (const int version : node_versions) {
        CAPTURE(version);
        auto site = NodeSite::of_version(version, 4, {"http"});
        site.usher.wait_until_ready(4);
        std::vector<int> slots;
        for (int i = 0; i < 200; ++i) {
            const auto answer = get(site.usher.port(), "/");
            REQUIRE(answer.header("X-Version").starts_with("v" + std::to_string(version) + "."));
            slots.push_back(answer.slot());
            if (i >= 4)
                REQUIRE(slots[slots.size() - 1] == slots[slots.size() - 5]);
        }
        CHECK(std::set<int>(slots.begin(), slots.end()) == std::set{1, 2, 3, 4});
        CHECK(site.usher.stop() == usher::sys::ExitStatus{});
        CHECK(site.usher.count("exited with code 0") == 4);
    }
}

TEST_CASE("listen(0) is the same port for all workers, and another for the second server")
{
    for (const int version : node_versions) {
        CAPTURE(version);
        auto site = NodeSite::of_version(version, 2, {"http", "http", "exclusive"});
        site.usher.wait_until_ready(2);
        site.usher.wait_for_count("exclusive ", 2);
        CHECK(site.usher.count("listening on") == 2);
        CHECK(site.usher.port(0) != site.usher.port(1));
        for (const std::size_t server : {0, 1})
            CHECK(slots_of(site.usher.port(server), 4) == std::set{1, 2});
    }
}

TEST_CASE("a port that is taken is an error of the worker's server")
{
    const auto taken = listen_on(loopback(0));
    const auto port = std::to_string(taken.address.port());
    for (const int version : node_versions) {
        CAPTURE(version);
        auto site = NodeSite::of_version(version, 2, {"http", "http:" + port});
        site.usher.wait_for_count("error EADDRINUSE bind", 2);
        CHECK(slots_of(site.usher.port(), 4) == std::set{1, 2});
    }
}

TEST_CASE("a server that closes gives up its share, and the worker's other server keeps its own")
{
    for (const int version : node_versions) {
        CAPTURE(version);
        auto site = NodeSite::of_version(version, 2, {"http", "http"});
        site.usher.wait_until_ready(2);
        site.usher.wait_for_count("listening on", 2);
        const int closed = get(site.usher.port(0), "/close").slot();
        CHECK(slots_of(site.usher.port(0), 6) == std::set{3 - closed});
        CHECK(slots_of(site.usher.port(1), 6) == std::set{1, 2});
    }
}

TEST_CASE("each way to end says the right thing to the worker")
{
    struct Way {
        const char* target; ///< empty: usher ends it
        const char* end;
    };
    for (const int version : node_versions) {
        for (const Way& way : {Way{"", "ends with 0, exitedAfterDisconnect true"},
                               Way{"/leave", "ends with 0, exitedAfterDisconnect true"},
                               Way{"/kill", "ends with 0, exitedAfterDisconnect true"},
                               // Node's own primary makes no difference here.
                               Way{"/cut", "ends with 0, exitedAfterDisconnect undefined"}}) {
            CAPTURE(version);
            CAPTURE(way.target);
            auto site = NodeSite::of_version(version, 1, {"tell", "http"});
            site.usher.wait_until_ready(1);
            const std::string target = way.target;
            if (target.empty())
                CHECK(site.usher.command({"restart", "1"}).code == 0);
            else
                CHECK(get(site.usher.port(), target).ok());
            site.usher.wait_for(way.end);
            CHECK(get(site.usher.port(), "/").ok()); // by the next one
            CHECK(site.usher.count("listening on") == 1);
        }
    }
}

TEST_CASE("requests in a pipeline and large uploads are unharmed")
{
    const std::string body(24UL * 1024 * 1024, 'x');
    for (const int version : node_versions) {
        CAPTURE(version);
        auto site = NodeSite::of_version(version, 2, {"http"});
        site.usher.wait_until_ready(2);

        HttpClient client{site.usher.port()};
        std::string pipeline;
        for (int i = 0; i < 20; ++i)
            pipeline += "POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n\r\n" +
                        std::to_string(10 + i);
        client.send(pipeline);
        for (int i = 0; i < 20; ++i)
            CHECK(client.read_answer().body == std::to_string(10 + i));

        client.send("POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: " +
                    std::to_string(body.size()) + "\r\n\r\n");
        client.send(body);
        CHECK((client.read_answer().body == body)); // not to be printed
    }
}

TEST_SUITE_END();

} // namespace usher::node_versions_test
