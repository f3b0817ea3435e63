// SPDX-License-Identifier: MIT
// Node workers that accept themselves, datagrams, and what TLS servers share.
#include "tests/support/certificate.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/load.hpp"
#include "tests/support/node_site.hpp"
#include "tests/support/shell.hpp"
#include "tests/support/sockets.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include <netinet/in.h>
#include <sys/socket.h>

namespace usher::node_policies_test {

using namespace usher::test;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

/// Sends a datagram to a port of this machine and returns the answer.
std::string ask_datagram(std::uint16_t port)
{
    const auto address = loopback(port);
    const usher::sys::UniqueFd fd{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    REQUIRE(::connect(fd.get(), address.data(), address.size()) == 0);
    write_text(fd.get(), "?");
    return read_text(fd.get());
}

/// Sends a datagram to the group of tests/node/server.js, by the loopback interface.
void send_to_group(std::uint16_t port, std::string_view text)
{
    const usher::sys::UniqueFd fd{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    const auto interface = loopback(0);
    const auto* const bytes = interface.ip_bytes().data();
    REQUIRE(::setsockopt(fd.get(), IPPROTO_IP, IP_MULTICAST_IF, bytes, sizeof(in_addr)) == 0);
    constexpr std::array<std::uint8_t, 4> group{239, 255, 71, 1};
    const auto address = usher::sys::SocketAddress::ipv4(group, port);
    REQUIRE(::sendto(fd.get(), text.data(), text.size(), 0, address.data(), address.size()) ==
            static_cast<ssize_t>(text.size()));
}

std::uint16_t port_in(const std::string& line, std::string_view before)
{
    const auto at = line.find(before);
    return static_cast<std::uint16_t>(std::stoi(line.substr(at + before.size())));
}

json policy(const char* name)
{
    return {{"node", {{"policy", name}}}};
}

} // namespace

TEST_SUITE_BEGIN("node_policies");

TEST_CASE("with policy none all workers accept from one socket, and none is lost with a restart")
{
    for (const int version : node_versions) {
        CAPTURE(version);
        auto site = NodeSite::of_version(version, 2, {"http"}, policy("none"));
        site.usher.wait_until_ready(2);
        Load load{site.usher.port(), 4};
        load.wait_for(200);
        CHECK(site.usher.command({"restart", "all"}).code == 0);
        load.wait_for(200);
        load.stop();
        CHECK(load.first_problem() == "");
        const auto status = json::parse(site.usher.command({"status", "--json"}).output);
        CHECK(status.at("pools").at(0).at("handed_off").is_null()); // usher accepts nothing itself
    }
}

TEST_CASE("NODE_CLUSTER_SCHED_POLICY says the policy, where the configuration does not")
{
    for (const char* const configured : {"auto", "rr"}) {
        auto pool = policy(configured);
        pool["env"] = {{"NODE_CLUSTER_SCHED_POLICY", "none"}};
        auto site = NodeSite::of(1, {"http"}, pool);
        site.usher.wait_until_ready(1);
        CHECK(get(site.usher.port(), "/").ok());
        const auto status = json::parse(site.usher.command({"status", "--json"}).output);
        CHECK(status.at("pools").at(0).at("handed_off") ==
              (std::string{configured} == "auto" ? json(nullptr) : json(1)));
    }
}

TEST_CASE("with policy reuseport each worker accepts from a socket of its own")
{
    for (const int version : node_versions) {
        CAPTURE(version);
        auto site = NodeSite::of_version(version, 2, {"http"}, policy("reuseport"));
        site.usher.wait_until_ready(2);
        std::set<int> slots;
        for (int i = 0; i < 100; ++i)
            slots.insert(get(site.usher.port(), "/").slot());
        CHECK(slots == std::set<int>{1, 2});

        Load load{site.usher.port(), 4};
        load.wait_for(100);
        CHECK(site.usher.command({"restart", "all"}).code == 0);
        load.wait_for(100);
        load.stop();
        CHECK(load.first_problem() == "");
    }
}

TEST_CASE("with policy reuseport a slot that is given up takes no connection with it")
{
    auto site = NodeSite::of(2, {"http"}, policy("reuseport"));
    site.usher.wait_until_ready(2);
    CHECK(site.usher.command({"scale", "1"}).code == 0);
    site.usher.wait_for("exited with code 0");
    for (int i = 0; i < 50; ++i)
        CHECK(get(site.usher.port(), "/").slot() == 1);
}

TEST_CASE("all workers receive from one UDP socket, whatever the policy")
{
    for (const int version : node_versions) {
        CAPTURE(version);
        auto site = NodeSite::of_version(version, 2, {"http", "udp"});
        site.usher.wait_until_ready(2);
        const auto line = site.usher.wait_for(" (UDP)");
        const auto answer = ask_datagram(port_in(line, "listening on 127.0.0.1:"));
        CHECK((answer == "1" || answer == "2"));
    }
    for (const char* const name : {"rr", "none", "reuseport"}) {
        CAPTURE(name);
        auto site = NodeSite::of(2, {"http", "udp"}, policy(name));
        site.usher.wait_until_ready(2);
        const auto port = port_in(site.usher.wait_for(" (UDP)"), "listening on 127.0.0.1:");
        for (int i = 0; i < 20; ++i) // each from a port of its own, so the kernel would spread them
            CHECK(ask_datagram(port) != "");
    }
}

TEST_CASE(
    "a worker's UDP sockets that share a port by reuseAddr each get what comes to their group")
{
    for (const int version : node_versions) {
        CAPTURE(version);
        auto site = NodeSite::of_version(version, 2, {"http", "udp-pair:11"});
        site.usher.wait_until_ready(2);
        site.usher.wait_for_count("pair ", 2);
        const auto port = port_in(site.usher.wait_for("pair "), "pair ");
        send_to_group(port, "one");
        site.usher.wait_for("first gets one");
        site.usher.wait_for("second gets one");
        ::kill(site.usher.worker_pid(1), SIGKILL); // whoever follows finds the sockets there
        site.usher.wait_for_count("pair " + std::to_string(port), 3);
        send_to_group(port, "two");
        site.usher.wait_for("first gets two");
        site.usher.wait_for("second gets two");
        CHECK(site.usher.count("first gets one") == 1); // a socket has one copy for all workers
        CHECK(site.usher.count("second gets one") == 1);
        CHECK(site.usher.count(" (UDP)") == 2);
        CHECK(site.usher.count("error ") == 0);
    }
}

TEST_CASE(
    "of a worker's UDP sockets on one port the later must have reuseAddr, whatever the policy")
{
    for (const char* const name : {"rr", "none", "reuseport"}) {
        CAPTURE(name);
        for (const char* const pair : {"udp-pair:00", "udp-pair:10"}) {
            CAPTURE(pair);
            auto site = NodeSite::of(1, {"http", pair}, policy(name));
            site.usher.wait_for("error EADDRINUSE bind");
        }
        // As Node gives every UDP socket that it is handed SO_REUSEADDR, the first need not ask.
        for (const char* const pair : {"udp-pair:11", "udp-pair:01"}) {
            CAPTURE(pair);
            auto site = NodeSite::of(1, {"http", pair}, policy(name));
            site.usher.wait_for("pair ");
        }
    }
}

TEST_CASE("a server that is exclusive is the worker's own")
{
    auto site = NodeSite::of(1, {"http", "exclusive"});
    site.usher.wait_until_ready(1);
    const auto line = site.usher.wait_for("exclusive ");
    CHECK(site.usher.count("listening on") == 1);
    const HttpClient client{port_in(line, "exclusive ")};
    CHECK(read_text(client.fd()) == "1\n");
}

TEST_CASE("TLS servers share their ticket keys, so a session goes on with another worker")
{
    const TempDir folder;
    make_certificate(folder);
    for (const int version : node_versions) {
        CAPTURE(version);
        for (const char* const serialization : {"json", "advanced"}) {
            CAPTURE(serialization);
            auto site = NodeSite::of_version(version, 3, {"https"},
                                             {{"env", {{"CERTIFICATES", folder.path()}}},
                                              {"node", {{"serialization", serialization}}}});
            site.usher.wait_until_ready(3);
            CHECK(output_of(node_program() + " " + NodeSite::script("tls_client.js") + " " +
                            std::to_string(site.usher.port()) + " 7") == "resumed 6, workers 3\n");
        }
    }
}

TEST_SUITE_END();

} // namespace usher::node_policies_test
