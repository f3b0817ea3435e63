// SPDX-License-Identifier: MIT
// The less common things that a Node worker may listen on.
#include "tests/support/fds.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/node_site.hpp"
#include "tests/support/shell.hpp"
#include "tests/support/sockets.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstring>
#include <set>
#include <sstream>
#include <string>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace usher::node_sockets_test {

using namespace usher::test;
using nlohmann::json;

namespace {

/// As the kernel has it.
std::string backlog_of(std::uint16_t port)
{
    std::istringstream line{output_of("ss -H -l -t -n 'sport = :" + std::to_string(port) + "'")};
    std::string state;
    std::string waiting;
    std::string backlog;
    line >> state >> waiting >> backlog;
    return backlog;
}

usher::sys::SocketAddress abstract_address(const std::string& name)
{
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    REQUIRE(name.size() + 1 < sizeof address.sun_path);
    std::memcpy(&address.sun_path[1], name.data(), name.size());
    return {reinterpret_cast<const sockaddr*>(&address),
            static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size())};
}

} // namespace

TEST_SUITE_BEGIN("node_sockets");

TEST_CASE("a server has the backlog it asks for, or else the pool's")
{
    auto site = NodeSite::of(1, {"anywhere", "http"}, {{"backlog", 33}});
    site.usher.wait_until_ready(1);
    site.usher.wait_for_count("listening on", 2);
    CHECK(backlog_of(site.usher.port(0)) == "64");
    CHECK(backlog_of(site.usher.port(1)) == "33");
}

TEST_CASE("with policy none the backlog is what the worker asks for")
{
    auto site = NodeSite::of(1, {"anywhere"}, {{"node", {{"policy", "none"}}}});
    site.usher.wait_until_ready(1);
    CHECK(backlog_of(site.usher.port()) == "64");
}

TEST_CASE("listen({fd}) is a socket that usher was started with, and all workers have it")
{
    constexpr int number = 40;
    const auto inherited = listen_on(loopback(0));
    for (const int version : node_versions) {
        CAPTURE(version);
        auto site = NodeSite::of_program({node_program(version), NodeSite::script("server.js")}, 2,
                                         {"fd:" + std::to_string(number)}, json::object(),
                                         [&] { ::dup2(inherited.fd.get(), number); });
        site.usher.wait_until_ready(2);
        CHECK(site.usher.port() == inherited.address.port());
        std::set<int> slots;
        for (int i = 0; i < 4; ++i)
            slots.insert(get(site.usher.port(), "/").slot());
        CHECK(slots == std::set{1, 2});
        CHECK(site.usher.stop() == usher::sys::ExitStatus{});
    }
}

TEST_CASE("listen({fd}) is no socket that usher has made for itself")
{
    auto site = NodeSite::of(1, {"http", "fd:5"});
    site.usher.wait_until_ready(1);
    site.usher.wait_for("error EBADF");
    CHECK(get(site.usher.port(), "/").ok());
}

TEST_CASE("a Unix socket may have a name that is no file")
{
    for (const int version : node_versions) {
        CAPTURE(version);
        const auto name = "usher-test-" + std::to_string(::getpid());
        auto site = NodeSite::of_version(version, 2, {"abstract:" + name});
        site.usher.wait_until_ready(2);
        std::set<int> slots;
        for (int i = 0; i < 4; ++i) {
            HttpClient client{abstract_address(name)};
            client.send_get("/");
            slots.insert(client.read_answer().slot());
        }
        CHECK(slots == std::set{1, 2});
    }
}

TEST_CASE("a server with reusePort is the worker's own since Node 22, and one like others before")
{
    for (const int version : node_versions) {
        CAPTURE(version);
        auto site = NodeSite::of_version(version, 1, {"http", "reuse-port"});
        site.usher.wait_until_ready(1);
        const auto line = site.usher.wait_for("reuse-port ");
        const auto port = std::stoi(line.substr(line.rfind(' ')));
        CHECK(get(static_cast<std::uint16_t>(port), "/").ok());
        CHECK(site.usher.count("listening on") == (version >= 22 ? 1 : 2));
    }
}

TEST_SUITE_END();

} // namespace usher::node_sockets_test
