// SPDX-License-Identifier: MIT
// What goes wrong between a cluster and its Node workers.
#include "tests/support/eventually.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/load.hpp"
#include "tests/support/nobody.hpp"
#include "tests/support/node_site.hpp"
#include "tests/support/process_facts.hpp"
#include "tests/support/sockets.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/support/touch.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>

namespace usher::node_faults_test {

using namespace usher::test;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

json worker_status(const UsherProcess& usher, std::size_t slot)
{
    return json::parse(usher.command({"status", "--json"}).output)
        .at("pools")
        .at(0)
        .at("workers")
        .at(slot - 1);
}

void wait_for_state(pid_t pid, char state)
{
    REQUIRE(eventually([&] { return state_of(pid) == state; }));
}

} // namespace

TEST_SUITE_BEGIN("node_faults");

TEST_CASE("what a dead worker had not accepted goes to others, its bytes intact")
{
    auto site = NodeSite::of(1, {"http"}, {{"node", {{"window", 2}}}});
    site.usher.wait_until_ready(1);
    const auto victim = site.usher.worker_pid(1);
    ::kill(victim, SIGSTOP);
    wait_for_state(victim, 'T');

    HttpClient first{site.usher.port()};
    first.send_get("/");
    HttpClient second{site.usher.port()};
    second.send_get("/");
    HttpClient third{site.usher.port()}; // waits in the backlog
    third.send_get("/");
    CHECK(eventually([&] { return worker_status(site.usher, 1).at("queued") == 2; }));

    ::kill(victim, SIGKILL);
    CHECK(first.read_answer().ok());
    CHECK(second.read_answer().ok());
    CHECK(third.read_answer().ok());
    site.usher.wait_for("2 connections that worker 1 had not accepted went to others");
}

TEST_CASE("what a worker acknowledged and did not answer goes to others when it is gone")
{
    auto site = NodeSite::of_fakes(1, "hold");
    site.usher.wait_until_ready(1);
    HttpClient client{site.usher.port()};
    client.send_get("/");
    CHECK(eventually([&] { return worker_status(site.usher, 1).at("queued") == 1; }));

    ::kill(site.usher.worker_pid(1), SIGKILL);
    CHECK(client.read_answer().ok());
}

TEST_CASE("a worker that hangs is ended, and what it held is answered by another")
{
    auto site = NodeSite::of_fakes(1, "hold", {{"stall_timeout", "500ms"}});
    site.usher.wait_until_ready(1);
    HttpClient client{site.usher.port()};
    client.send_get("/");
    CHECK(client.read_answer().ok());
    CHECK(site.usher.wait_for("hangs, because").find("its queue of 1 connection has not moved") !=
          std::string::npos);
}

TEST_CASE("a worker that blocks its loop holds no more than the window; the other serves on")
{
    const TempDir folder;
    const std::string gate = folder.path() / "gate";
    REQUIRE(::mkfifo(gate.c_str(), 0600) == 0);
    auto site = NodeSite::of(2, {"http"}, {{"stall_timeout", "0s"}, {"env", {{"GATE", gate}}}});
    site.usher.wait_until_ready(2);
    HttpClient blocked{site.usher.port()};
    blocked.send_get("/block");
    site.usher.wait_for("blocking"); // until then it may accept more
    // One of these is given to the worker that blocks; the others are not.
    std::vector<HttpClient> clients;
    for (int i = 0; i < 8; ++i) {
        clients.emplace_back(site.usher.port());
        clients.back().send_get("/");
    }
    CHECK(eventually([&] {
        int count = 0;
        for (const auto& client : clients)
            count += client.has_answer() ? 1 : 0;
        return count >= 7;
    }));
    CHECK_FALSE(blocked.has_answer());
    const auto queued = worker_status(site.usher, 1).at("queued").get<int>() +
                        worker_status(site.usher, 2).at("queued").get<int>();
    CHECK(queued <= 1);
    touch(gate);
    for (auto& client : clients)
        CHECK(client.read_answer().ok());
    CHECK(blocked.read_answer().ok());
}

TEST_CASE("with every worker stopped nothing is accepted; the clients wait in the backlog")
{
    auto site = NodeSite::of(1, {"http"}, {{"stall_timeout", "0s"}});
    site.usher.wait_until_ready(1);
    const auto pid = site.usher.worker_pid(1);
    ::kill(pid, SIGSTOP);
    wait_for_state(pid, 'T');
    const auto before = descriptors_of(site.usher.pid()).size();
    std::vector<HttpClient> clients;
    for (int i = 0; i < 20; ++i) {
        clients.emplace_back(site.usher.port());
        clients.back().send_get("/");
    }
    CHECK(eventually([&] { return worker_status(site.usher, 1).at("queued") == 1; }));
    CHECK(descriptors_of(site.usher.pid()).size() <= before + 2);
    ::kill(pid, SIGCONT);
    for (auto& client : clients)
        CHECK(client.read_answer().ok());
}

TEST_CASE("while every worker refuses, usher waits without spinning, then they are served")
{
    auto site = NodeSite::of(2, {"refuse", "http"});
    site.usher.wait_until_ready(2);
    HttpClient one{site.usher.port()};
    HttpClient two{site.usher.port()};
    one.send_get("/", false);
    two.send_get("/", false);
    CHECK(one.read_answer().ok());
    CHECK(two.read_answer().ok()); // both workers have one now, and keep it

    HttpClient waiting{site.usher.port()};
    waiting.send_get("/");
    const auto before = cpu_time(site.usher.pid());
    CHECK_FALSE(eventually([&] { return waiting.has_answer(); }, 1s));
    CHECK(cpu_time(site.usher.pid()) - before < 300ms);
    one.close();
    CHECK(waiting.read_answer().ok());
}

TEST_CASE("a worker without descriptors is passed over, and serves again once it has some")
{
    auto site = NodeSite::of(2, {"http", "hold-fds:30"}, {{"rlimits", {{"nofile", 200}}}});
    site.usher.wait_until_ready(2);
    // Connections that stay open use up what is left.
    std::vector<HttpClient> open;
    for (int i = 0; i < 50; ++i) {
        open.emplace_back(site.usher.port());
        open.back().send_get("/", false);
        CHECK(open.back().read_answer().ok());
    }
    HttpClient waiting{site.usher.port()};
    for (int i = 0; i < 40; ++i) {
        open.emplace_back(site.usher.port());
        open.back().send_get("/", false);
    }
    site.usher.wait_for("has no descriptor left for a connection");

    for (unsigned slot = 1; slot <= 2; ++slot)
        ::kill(site.usher.worker_pid(slot), SIGUSR2);
    site.usher.wait_for_count("let go", 2);
    for (std::size_t i = 50; i < open.size(); ++i)
        CHECK(open[i].read_answer().ok());
    waiting.send_get("/");
    CHECK(waiting.read_answer().ok());
    std::map<int, int> slots;
    for (int i = 0; i < 20; ++i)
        ++slots[get(site.usher.port(), "/").slot()];
    CHECK(slots[1] > 0);
    CHECK(slots[2] > 0);
}

TEST_CASE("a connection that usher lacks a descriptor to send is no fault of its worker")
{
    auto site = NodeSite::of(1, {"http", "listen-to-messages"}, {{"stall_timeout", "500ms"}});
    site.usher.wait_until_ready(1);
    const auto master = site.usher.pid();
    const auto worker = site.usher.worker_pid(1);
    const auto before = descriptors_of(master).size();
    ::kill(worker, SIGSTOP);
    wait_for_state(worker, 'T');
    const std::string large(100'000, 'x'); // together more than its channel holds
    for (int i = 0; i < 8; ++i)
        CHECK(site.usher.command({"send", '"' + large + '"'}).code == 0);
    REQUIRE(eventually([&] { return descriptors_of(master).size() == before; }));

    // One descriptor more: the connection's own, and none for what has to wait.
    int number = 0;
    for (const auto open = descriptors_of(master); open.contains(number);)
        ++number;
    rlimit old{};
    REQUIRE(::prlimit(master, RLIMIT_NOFILE, nullptr, &old) == 0);
    const rlimit low{.rlim_cur = static_cast<rlim_t>(number) + 1, .rlim_max = old.rlim_max};
    REQUIRE(::prlimit(master, RLIMIT_NOFILE, &low, nullptr) == 0);
    HttpClient client{site.usher.port()};
    client.send_get("/");
    REQUIRE(eventually([&] { return descriptors_of(master).contains(number); }));
    REQUIRE(::prlimit(master, RLIMIT_NOFILE, &old, nullptr) == 0);

    ::kill(worker, SIGCONT);
    CHECK(client.read_answer().ok());
    CHECK(site.usher.worker_pid(1) == worker);
    CHECK(site.usher.count("hangs") == 0);
}

TEST_CASE("when the last worker is gone clients wait for the next one, and nobody is refused")
{
    auto site = NodeSite::of(1, {"http"}, {{"restart", {{"first_delay", "300ms"}}}});
    site.usher.wait_until_ready(1);
    const auto port = site.usher.port();
    for (int round = 0; round < 3; ++round) {
        ::kill(site.usher.worker_pid(1), SIGKILL);
        HttpClient client{port};
        client.send_get("/");
        CHECK(client.read_answer().ok());
    }
    CHECK(site.usher.count("listening on") == 1);
}

TEST_CASE("a request to disconnect goes out past a connection that was never answered")
{
    auto site = NodeSite::of_fakes(1, "hold", {{"stall_timeout", "0s"}, {"drain_timeout", "20s"}});
    site.usher.wait_until_ready(1);
    HttpClient client{site.usher.port()};
    client.send_get("/");
    CHECK(eventually([&] { return worker_status(site.usher, 1).at("queued") == 1; }));

    const auto old = site.usher.worker_pid(1);
    CHECK(site.usher.command({"restart", "1"}).code == 0);
    CHECK(eventually([&] { return state_of(old) == 0; }, 5s)); // long before its deadline
    CHECK(client.read_answer().ok());
}

TEST_CASE("a worker that breaks the protocol is retired, and the master serves on")
{
    const std::map<std::string, std::string> faults{
        {"malformed", "cannot be read: it is not JSON"},
        {"empty-line", "cannot be read: it is not JSON"},
        {"half-a-line", "closed its channel in the middle of a message"},
        {"huge-line", "sent a message longer than 16 MiB"},
        {"wrong-ack", "answered a message 4711 that it was not sent"},
        {"stray-handle-ack", "acknowledged a descriptor that it was not sent"},
        {"descriptors", "sent descriptors without the messages"},
        {"handle-for-a-closed-server", "it hands out a connection, as only a primary does"},
        {"no-number", "cannot be read: it has no \"seq\""},
    };
    for (const auto& entry : faults) {
        const auto& fault = entry.first;
        const auto& reason = entry.second;
        CAPTURE(fault);
        auto site = NodeSite::of_fakes(2, fault, {{"stop_grace", "200ms"}});
        CHECK(site.usher.wait_for("retired, because it").find(reason) != std::string::npos);
        for (int i = 0; i < 5; ++i)
            CHECK(get(site.usher.port(), "/").ok());
        site.usher.wait_until_ready(2);
        CHECK(site.usher.stop() == usher::sys::ExitStatus{});
    }
}

TEST_CASE(
    "a worker that asks for an impossible server is told so, and serves on as the master does")
{
    const std::map<std::string, std::string> requests{
        {R"({"address": "", "port": -1, "addressType": -1})", "Invalid argument"},
        {R"({"port": 70000})", "Invalid argument"},
        {R"({"fd": 1.5})", "Invalid argument"},
    };
    for (const auto& entry : requests)
        for (const auto& listen : {json{}, json{{"listen", "127.0.0.1:0"}}}) {
            const auto& members = entry.first;
            const auto& error = entry.second;
            CAPTURE(members);
            CAPTURE(listen);
            auto site = NodeSite::of_fakes(1, "ask:" + members, listen);
            site.usher.wait_for("refused with " + error);
            CHECK(get(site.usher.port(), "/").ok());
            CHECK(site.usher.stop() == usher::sys::ExitStatus{});
        }
}

TEST_CASE("a pool has 256 servers at most, and the log says so once")
{
    auto site = NodeSite::of_fakes(1, "many-servers");
    site.usher.wait_for_count("refused with Too many open files", 44);
    CHECK(site.usher.count("listening on") == 100); // the log says no more of one kind at a time
    const auto status = json::parse(site.usher.command({"status", "--json"}).output);
    CHECK(status.at("events").at("listening") == 256);
    CHECK(site.usher.count("want more than 256 servers") == 1);
    CHECK(get(site.usher.port(), "/").ok());
    CHECK(site.usher.stop() == usher::sys::ExitStatus{});
}

TEST_CASE("a worker of another user gets nothing by usher that it could not do itself")
{
    if (!can_run_as_nobody({node_program(), usher_program()})) {
        MESSAGE("skipped: only root can change users, and nobody must reach " << node_program());
        return;
    }
    const TempDir folder;
    const auto path = (folder.path() / "s.sock").string();
    auto site =
        NodeSite::of(1, {"http", "unix:" + path, "http:80"}, {{"user", "nobody"}, {"cwd", "/"}});
    site.usher.wait_until_ready(1);
    site.usher.wait_for_count("error EACCES", 2);
    const std::string why{", because it runs as user \"nobody\""};
    CHECK(site.usher.count("may not listen on unix:" + path + why) == 1);
    CHECK(site.usher.count("may not listen on 127.0.0.1:80" + why) == 1);
    CHECK(get(site.usher.port(), "/").ok());
}

TEST_CASE("what a worker has accepted is not given to another, though its answer cannot be read")
{
    if (!can_run_as_nobody({node_program(), usher_program(), "/usr/bin/python3"})) {
        MESSAGE("skipped: only root can change users, and nobody must reach " << node_program());
        return;
    }
    const TempDir folder;
    REQUIRE(::chmod(folder.path().c_str(), 0777) == 0);
    auto site = NodeSite::of_program({node_program(), NodeSite::script("unheard_worker.js")}, 2,
                                     {folder.path()}, {{"user", "nobody"}, {"cwd", "/"}});
    site.usher.wait_until_ready(2);
    site.usher.wait_for("unheard");
    for (int i = 0; i < 4; ++i) { // one of them is the unheard one's
        const auto client = connect_to(loopback(site.usher.port()));
        const timeval patience{.tv_sec = 20, .tv_usec = 0};
        REQUIRE(::setsockopt(client.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) ==
                0);
        std::string text;
        char c = 0;
        while (::recv(client.get(), &c, 1, 0) == 1)
            text += c;
        CHECK(std::ranges::count(text, '\n') == 1);
    }
    site.usher.wait_for("killed by SIGKILL"); // with the last of what it has started
    CHECK(site.usher.count("killed by SIGKILL") == 1);
}

TEST_CASE("a worker that leaves before it was ready ends in its own way, and that is no failure")
{
    auto other = NodeSite::of(1, {"http"});
    other.usher.wait_until_ready(1);
    const auto taken = "http:" + std::to_string(other.usher.port());
    const std::vector<std::vector<std::string>> programs{
        {"tell", "leave:300"},
        {"tell", "leave-on-error", taken},
        {"tell", "close-at-once"},
    };
    for (const auto& program : programs) {
        CAPTURE(program.back());
        auto site = NodeSite::of(1, program, {{"start_attempts", 2}});
        CHECK(site.usher.wait() == usher::sys::ExitStatus{.by_signal = false, .code = 1});
        CHECK(site.usher.count("work done") == 2);
        CHECK(site.usher.count("ends with 0") == 2);
        CHECK(site.usher.count("SIGTERM") == 0);
        CHECK(site.usher.count("warning: worker 1 (pid") == 0);
        site.usher.wait_for("last: the worker exited with code 0 before it was ready");
    }
}

TEST_CASE("a worker that is drained before it is ready finishes what it does")
{
    for (const int version : node_versions) {
        CAPTURE(version);
        auto site = NodeSite::of_version(version, 1, {"tell", "work:300"});
        site.usher.wait_for("online");
        CHECK(site.usher.stop() == usher::sys::ExitStatus{});
        CHECK(site.usher.count("work done") == 1);
        CHECK(site.usher.count("ends with 0") == 1);
        CHECK(site.usher.count("SIGTERM,") == 0);
    }
}

TEST_CASE("a worker that is drained before it is ready has drain_timeout for it")
{
    auto site = NodeSite::of(1, {"work:100000"}, {{"drain_timeout", "300ms"}});
    site.usher.wait_for("online");
    CHECK(site.usher.stop() == usher::sys::ExitStatus{});
    site.usher.wait_for("SIGTERM, an unknown number still open");
    CHECK(site.usher.count("work done") == 0);
}

TEST_CASE("a worker that leaves in order on trial is tried again, one that fails is not")
{
    const TempDir folder;
    const auto mark = (folder.path() / "mark").string();
    auto site = NodeSite::of(1, {"leave-once:" + mark, "http"});
    site.usher.wait_until_ready(1);
    std::filesystem::remove(mark);
    CHECK(site.usher.command({"scale", "2"}).code == 0);
    CHECK(site.usher.count("exited with code 0") == 2);
    CHECK(site.usher.count("work done") == 2);

    std::filesystem::remove(mark);
    CHECK(site.usher.command({"restart", "1"}).code == 0);
    CHECK(get(site.usher.port(), "/").ok());
}

TEST_CASE("with V8's format a worker that breaks it is retired, and the master serves on")
{
    const std::map<std::string, std::string> faults{
        {"cut-payload", "cannot be read: it is not what V8 writes"},
        {"no-header", "cannot be read: it does not begin as V8 begins"},
        {"empty-payload", "cannot be read: it does not begin as V8 begins"},
        {"not-plain", "cannot be read: it is not what V8 writes"},
        {"huge-length", "sent a message longer than 16 MiB"},
        {"half-a-length", "closed its channel in the middle of a message"},
        {"wrong-ack", "answered a message 4711 that it was not sent"},
        {"stray-handle-ack", "acknowledged a descriptor that it was not sent"},
        {"no-number", "cannot be read: it has no \"seq\""},
    };
    for (const auto& entry : faults) {
        const auto& fault = entry.first;
        const auto& reason = entry.second;
        CAPTURE(fault);
        auto site = NodeSite::of_fakes(
            2, fault, {{"stop_grace", "200ms"}, {"node", {{"serialization", "advanced"}}}});
        CHECK(site.usher.wait_for("retired, because it").find(reason) != std::string::npos);
        for (int i = 0; i < 5; ++i)
            CHECK(get(site.usher.port(), "/").ok());
        site.usher.wait_until_ready(2);
        CHECK(site.usher.stop() == usher::sys::ExitStatus{});
    }
}

TEST_SUITE_END();

} // namespace usher::node_faults_test
