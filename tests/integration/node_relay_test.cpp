// SPDX-License-Identifier: MIT
// Node workers whose messages go to each other.
#include "tests/support/eventually.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/node_site.hpp"
#include "tests/support/process_facts.hpp"
#include "tests/support/shell.hpp"

#include <doctest/doctest.h>
#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <csignal>
#include <cstddef>
#include <string>
#include <tuple>
#include <vector>

#include <sys/types.h>

namespace usher::node_relay_test {

using namespace usher::test;
using nlohmann::json;

namespace {

const std::vector<const char*> serializations{"json", "advanced"};

json with(const char* serialization, const char* messages = "relay")
{
    return {{"node", {{"serialization", serialization}, {"messages", messages}}},
            {"stall_timeout", "0s"}}; // some are stopped
}

NodeSite site_of(unsigned workers, const json& pool, const std::string& what = "messages",
                 int version = 20)
{
    return NodeSite::of_program({node_program(version), NodeSite::script("relay_worker.js")},
                                workers, {what}, pool);
}

/// Has the program of a worker do something, or all programs.
void tell(const UsherProcess& usher, const json& what, unsigned slot = 0)
{
    std::vector<std::string> command{"send", what.dump()};
    if (slot != 0)
        command.insert(command.end(), {"--worker", std::to_string(slot)});
    CHECK(usher.command(command).code == 0);
}

json flood(int count, std::size_t size)
{
    return {{"flood", {{"count", count}, {"size", size}}}};
}

/// The most memory that a process has ever had.
std::size_t most_bytes(pid_t pid)
{
    return std::stoul(status_of(pid, "VmHWM")) * 1024;
}

} // namespace

TEST_SUITE_BEGIN("node_relay");

TEST_CASE("Socket.IO reaches the clients of all workers without a primary of its own")
{
    for (const int version : oldest_and_newest_node)
        for (const char* const serialization : serializations) {
            CAPTURE(version);
            CAPTURE(serialization);
            auto site = site_of(4, with(serialization), "socket.io", version);
            site.usher.wait_until_ready(4);
            CHECK(output_of(fmt::format("{} {} {} 40 4 {} 2>&1", node_program(),
                                        NodeSite::script("relay_client.js"), site.usher.port(),
                                        serialization)) == "good\n");
            CHECK(site.usher.count("exited") == 0);
            CHECK(site.usher.count("dropped") == 0);
        }
}

TEST_CASE("what a worker sends comes to all others and not to itself, in order")
{
    for (const char* const serialization : serializations) {
        CAPTURE(serialization);
        auto site = site_of(3, with(serialization));
        site.usher.wait_until_ready(3);
        tell(site.usher, flood(5'000, 100), 2);
        site.usher.wait_for_count("from 2: 5000, 0 to 4999", 2);
        CHECK(site.usher.count("[default/2] from 2") == 0);

        tell(site.usher, flood(5'000, 100)); // all at once
        site.usher.wait_for_count(": 5000, 0 to 4999", 2 + 6);
        for (const int slot : {1, 2, 3})
            CHECK(site.usher.count(fmt::format("[default/{0}] from {0}", slot)) == 0);

        tell(site.usher, flood(8, 1024UL * 1024), 3); // many reads each
        site.usher.wait_for_count("from 3: 8, 0 to 7", 2);
        CHECK(site.usher.count("comes too late") == 0);
        CHECK(site.usher.count("dropped") == 0);
        CHECK(get(site.usher.port(), "/").ok());
    }
}

TEST_CASE("what a worker sends is shown as well, and otherwise only shown")
{
    for (const char* const messages : {"relay", "show"}) {
        CAPTURE(messages);
        auto site = site_of(2, with("json", messages));
        site.usher.wait_until_ready(2);
        tell(site.usher, {{"send", json::object()}, {"padding", 1}}, 1);
        site.usher.wait_for(R"(message {"padding":"x"})");
        site.usher.wait_for(R"("last":true})");
        if (messages == std::string{"show"}) {
            tell(site.usher, {{"own", 1}}, 2); // behind what was relayed, if it was
            site.usher.wait_for("[default/2] got {\"own\":1}");
        } else {
            site.usher.wait_for("[default/2] from 1: 0");
        }
        CHECK(site.usher.count("[default/2] from") == (messages == std::string{"show"} ? 0 : 1));
    }
}

TEST_CASE("of messages for a primary it is said once for each kind what becomes of them")
{
    for (const char* const messages : {"relay", "show"}) {
        CAPTURE(messages);
        auto site = site_of(2, with("json", messages));
        site.usher.wait_until_ready(2);
        const std::size_t shown = messages == std::string{"show"} ? 1 : 0;
        for (const auto& message :
             {json{{"topic", "log4js:message"}, {"data", "{}"}}, json{{"source", "_sio_adapter"}},
              json{{"topic", "log4js:message"}, {"data", "again"}}, json{{"own", 1}}})
            for (const int slot : {1, 2})
                tell(site.usher, {{"send", message}, {"padding", 1}}, slot);
        site.usher.wait_for_count(R"("own":1)", 2);
        CHECK(site.usher.count("disableClustering: true") == 1);
        CHECK(site.usher.count("what Socket.IO has for clients") == shown);
        CHECK(site.usher.count("sends messages, which are events") == shown);
    }
}

TEST_CASE("what looks like Node's own, wherever it has its command, is not relayed")
{
    const json command{{"cmd", "NODE_CLUSTER"}, {"act", "disconnect"}};
    for (const char* const serialization : serializations)
        // The second is longer than what is shown, the third than what is read.
        for (const int padding : {1, 5'000, 300'000}) {
            CAPTURE(serialization);
            CAPTURE(padding);
            auto site = site_of(2, with(serialization));
            site.usher.wait_until_ready(2);
            tell(site.usher, {{"send", command}, {"padding", padding}}, 1);
            site.usher.wait_for("[default/2] from 1: 0");
            CHECK(site.usher.count("[default/2] got") == 0);

            tell(site.usher, {{"send", {{"text", command.dump()}}}, {"padding", padding}}, 1);
            site.usher.wait_for_count("[default/2] from 1: 0", 2);
            CHECK(site.usher.count("[default/2] got {\"padding\":\"x") == 1);
            CHECK(site.usher.count("exited") == 0);
            CHECK(get(site.usher.port(), "/").ok());
        }
}

TEST_CASE("what comes with a socket is shown and not relayed, and the socket is closed")
{
    constexpr int sockets = 20;
    for (const char* const serialization : serializations) {
        CAPTURE(serialization);
        auto site = site_of(2, with(serialization));
        site.usher.wait_until_ready(2);
        tell(site.usher, flood(3, 10), 1);
        site.usher.wait_for("[default/2] from 1: 3, 0 to 2");
        const auto before = descriptors_of(site.usher.pid()).size();

        tell(site.usher, {{"sockets", sockets}}, 1);
        site.usher.wait_for("[default/2] from 1: 0"); // what it says afterwards comes through
        CHECK(site.usher.count(", with a descriptor, which was closed") == sockets);
        CHECK(eventually([&] { return descriptors_of(site.usher.pid()).size() == before; }));

        tell(site.usher, flood(3, 10), 1);
        site.usher.wait_for_count("[default/2] from 1: 3, 0 to 2", 2);
        CHECK(site.usher.count("retired") == 0);
        CHECK(get(site.usher.port(), "/").ok());
    }
}

TEST_CASE("a worker that does not read slows down nobody, and gets the newest")
{
    constexpr std::size_t mebibyte = 1024UL * 1024;
    for (const char* const serialization : serializations) {
        CAPTURE(serialization);
        auto site = site_of(3, with(serialization));
        site.usher.wait_until_ready(3);
        const auto stopped = site.usher.worker_pid(3);
        REQUIRE(::kill(stopped, SIGSTOP) == 0);
        REQUIRE(eventually([&] { return state_of(stopped) == 'T'; }));

        // Twice of what may wait, but not faster than the other one reads.
        constexpr std::size_t floods = 12;
        for (std::size_t i = 1; i <= floods; ++i) {
            tell(site.usher, flood(10, mebibyte), 1);
            site.usher.wait_for_count("[default/2] from 1: 10, 0 to 9", i);
        }
        site.usher.wait_for("worker 3 does not read what other workers send as fast as they send "
                            "it: 1 message dropped");
        CHECK(most_bytes(site.usher.pid()) < 160 * mebibyte);
        tell(site.usher, {{"own", 1}}, 3);
        tell(site.usher, flood(1, 1), 1);

        REQUIRE(::kill(stopped, SIGCONT) == 0);
        site.usher.wait_for("[default/3] got {\"own\":1}");
        site.usher.wait_for("[default/3] from 1: 1, 0 to 0");
        const auto log = site.usher.log();
        CHECK(log.find("[default/3] got") < log.find("[default/3] from 1"));
        const auto whole = site.usher.count("[default/3] from 1: 10, 0 to 9");
        CHECK(whole >= 5);
        CHECK(whole <= 6); // of 64 MiB
        CHECK(site.usher.count("comes too late") == 0);
        CHECK(site.usher.stop() == usher::sys::ExitStatus{});
        CHECK(site.usher.count("messages dropped") >= 1); // the last of them at its end
    }
}

TEST_CASE("during a reload that changes the serialization old and new workers hear each other")
{
    const TempDir folder;
    const auto write = [&](const char* serialization) {
        auto pool = with(serialization);
        pool.update({{"dialect", "node"},
                     {"workers", 2},
                     {"command", {node_program(), NodeSite::script("relay_worker.js"), "messages"}},
                     {"reload", {{"soak", "60s"}}}}); // the old ones stay
        return folder.write("usher.json", json{{"log_level", "debug"}, {"pools", {pool}}}.dump());
    };
    UsherProcess usher{{"run", "--config", write("json")}};
    usher.wait_until_ready(2);
    std::ignore = write("advanced");
    UsherProcess reload{{"reload", "--control", usher.control_path()}};
    usher.wait_until_ready(4);
    tell(usher, flood(10, 10)); // of all four
    usher.wait_for_count(": 10, 0 to 9", 12);
    CHECK(usher.count("comes too late") == 0);
    CHECK(usher.count("retired") == 0);
}

TEST_SUITE_END();

} // namespace usher::node_relay_test
