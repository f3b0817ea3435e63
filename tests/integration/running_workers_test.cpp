// SPDX-License-Identifier: MIT
// Workers that run go by what a reload changed, where the table of keys says so.
#include "tests/support/config_file.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/pool_keys.hpp"
#include "tests/support/start_gate.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <map>
#include <optional>
#include <set>

namespace usher::running_workers_test {

using namespace usher::test;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

/// One worker, started with one configuration and then told another.
struct Site : ConfigFile {
    explicit Site(const json& first)
    {
        pool["workers"] = 1;
        top["log_level"] = "debug";
        pool.update(first);
        write();
        usher.emplace(run());
        usher->wait_for("worker 1 (pid ");
    }

    void wait_until_ready() { usher->wait_until_ready(1); }

    void reload(const json& more = json::object())
    {
        pool.update(more);
        write();
        const auto result = usher->command({"reload"});
        CAPTURE(result.output);
        CHECK(result.code == 0);
    }

    /// Brings `more` in, and checks that the worker is the one that was there.
    void tell(const json& more = json::object())
    {
        const auto before = usher->worker_pid(1);
        reload(more);
        CHECK(usher->worker_pid(1) == before);
    }

    /// Has the worker stand still, and gives it a connection that it will not take.
    void halt()
    {
        ::kill(usher->worker_pid(1), SIGSTOP);
        client.emplace(usher->port()).send_get("/");
    }

    /// Lets the worker go.
    void replace() { CHECK(usher->command({"restart", "1"}).code == 0); }

    std::optional<UsherProcess> usher;
    std::optional<HttpClient> client;
};

json demo(std::vector<std::string> switches)
{
    switches.insert(switches.begin(), demo_program());
    return switches;
}

void follow_max_queue()
{
    Site site{{{"max_queue", 64}}};
    site.wait_until_ready();
    site.tell({{"max_queue", 2}});
    ::kill(site.usher->worker_pid(1), SIGSTOP);
    std::vector<HttpClient> clients;
    for (int i = 0; i < 8; ++i)
        clients.emplace_back(site.usher->port()).send_get("/");
    const auto queued = [&] {
        return json::parse(site.usher->command({"status", "--json"}).output)
            .at("pools")
            .at(0)
            .at("workers")
            .at(0)
            .at("queued");
    };
    CHECK(eventually([&] { return queued() == 2; }));
    ::kill(site.usher->worker_pid(1), SIGCONT);
    for (auto& client : clients)
        CHECK(client.read_answer().ok());
}

void follow_move_after()
{
    Site site{{{"move_after", "0s"}, {"workers", 2}, {"stall_timeout", "0s"}}};
    site.usher->wait_until_ready(2);
    for (const int slot : {1, 2})
        CHECK(get(site.usher->port(), "/").slot() == slot);
    ::kill(site.usher->worker_pid(1), SIGSTOP);
    HttpClient behind{site.usher->port()};
    behind.send_get("/");
    CHECK(get(site.usher->port(), "/").slot() == 2);
    site.tell({{"move_after", "50ms"}});
    CHECK(behind.read_answer().slot() == 2);
    ::kill(site.usher->worker_pid(1), SIGCONT);
}

void follow_start_timeout()
{
    Site site{{{"command", demo({"--never-ready"})}, {"start_timeout", "5m"}}};
    site.reload({{"start_timeout", "200ms"}});
    site.usher->wait_for("not ready after 200ms");
}

void follow_start_delay()
{
    Site site{{{"command", {"sleep", "1000"}}, {"dialect", "listen-fds"}, {"start_delay", "5m"}}};
    site.tell({{"start_delay", "100ms"}});
    site.wait_until_ready();
}

void follow_probe()
{
    Site other{{{"probe", {{"path", "/health"}, {"expect", 599}}}}};
    other.usher->wait_for("answered 200, not 599");
    other.tell({{"probe", {{"path", "/health"}}}});
    other.wait_until_ready();

    Site none{{{"probe", {{"path", "/health"}, {"expect", 599}}}}};
    none.usher->wait_for("answered 200, not 599");
    none.pool.erase("probe");
    none.tell();
    none.wait_until_ready();

    StartGate gate;
    Site added{{{"command", gate.command()}}};
    added.tell({{"probe", {{"path", "/health"}, {"expect", 599}}}});
    gate.let_start(1);
    added.usher->wait_for("answered 200, not 599");
    CHECK(added.usher->count("ready after") == 0);
}

void follow_drain_timeout()
{
    Site site{{{"drain_timeout", "5m"}}};
    site.wait_until_ready();
    HttpClient client{site.usher->port()};
    client.send_get("/slow?ms=300000");
    CHECK(get(site.usher->port(), "/").ok()); // now the slow one has been taken
    site.tell({{"drain_timeout", "200s"}});
    site.replace();
    site.usher->wait_for("for up to 200s");

    // It leaves already, and goes by it all the same.
    CHECK(site.usher->count("SIGTERM") == 0);
    site.pool["drain_timeout"] = "100ms";
    site.tell();
    site.usher->wait_for("SIGTERM, 1 still open");
}

void follow_stop_signal()
{
    Site site{{{"stop_signal", "QUIT"}, {"drain_timeout", "0s"}}};
    site.wait_until_ready();
    site.halt();
    site.tell({{"stop_signal", "USR1"}});
    site.replace();
    site.usher->wait_for("SIGUSR1, ");
}

void follow_stop_grace()
{
    Site site{{{"stop_grace", "5m"}, {"drain_timeout", "0s"}}};
    site.wait_until_ready();
    site.halt();
    site.tell({{"stop_grace", "200s"}});
    site.replace();
    site.usher->wait_for("SIGTERM, ");
    CHECK(site.usher->count("SIGKILL") == 0);
    site.tell({{"stop_grace", "100ms"}});
    site.usher->wait_for("SIGKILL to its process group");
}

void follow_stop_scope()
{
    const std::string script = R"(
        trap 'echo leader; sleep 0.3; echo ends; exit 0' TERM
        (trap 'echo told; exit 0' TERM; while :; do sleep 0.05; done) &
        "$0" & while :; do sleep 0.05; done)";
    Site site{{{"command", {"/bin/sh", "-c", script, demo_program()}},
               {"stop_scope", "leader"},
               {"drain_timeout", "0s"}}};
    site.wait_until_ready();
    site.tell({{"stop_scope", "group"}});
    site.replace();
    site.usher->wait_for("] ends");
    const auto log = site.usher->log();
    CHECK(log.find("] told") < log.find("] ends"));
}

void follow_stall_timeout()
{
    Site site{{{"stall_timeout", "0s"}}};
    site.wait_until_ready();
    site.tell({{"stall_timeout", "500ms"}});
    site.halt();
    site.usher->wait_for("has not moved for 500ms");
}

void follow_hang_signal()
{
    Site site{{{"stall_timeout", "500ms"}, {"hang_signal", "ABRT"}}};
    site.wait_until_ready();
    site.tell({{"hang_signal", "QUIT"}});
    site.halt();
    site.usher->wait_for("SIGQUIT, ");
}

void follow_max_connections()
{
    Site site{{{"max_connections", 0}}};
    site.wait_until_ready();
    site.tell({{"max_connections", 3}});
    for (int i = 0; i < 5; ++i)
        CHECK(get(site.usher->port(), "/").ok());
    site.usher->wait_for("is replaced, because it was given");
}

void follow_max_age()
{
    Site site{{{"max_age", "0s"}}};
    site.wait_until_ready();
    site.reload({{"max_age", "100ms"}});
    site.usher->wait_for("is replaced, because");
}

void follow_max_memory()
{
    Site site{{{"max_memory", 0}}};
    site.wait_until_ready();
    site.reload({{"max_memory", 1024}});
    site.usher->wait_for("of memory although it is fresh, and max_memory is ");
}

const std::map<std::string, void (*)()> cases{
    {"max_queue", follow_max_queue},
    {"move_after", follow_move_after},
    {"start_timeout", follow_start_timeout},
    {"start_delay", follow_start_delay},
    {"probe", follow_probe},
    {"drain_timeout", follow_drain_timeout},
    {"stop_grace", follow_stop_grace},
    {"stop_signal", follow_stop_signal},
    {"stop_scope", follow_stop_scope},
    {"stall_timeout", follow_stall_timeout},
    {"hang_signal", follow_hang_signal},
    {"max_connections", follow_max_connections},
    {"max_age", follow_max_age},
    {"max_memory", follow_max_memory},
};

} // namespace

TEST_SUITE_BEGIN("running_workers");

TEST_CASE("there is a case for every key that running workers follow, and for no other")
{
    std::set<std::string> promised;
    for (const auto& [key, effect] : pool_keys())
        if (effect == usher::Effect::running_workers)
            promised.insert(key);
    std::set<std::string> tried;
    for (const auto& [key, follow] : cases)
        tried.insert(key);
    CHECK(promised == tried);
}

TEST_CASE("a worker that runs follows a changed key")
{
    for (const auto& entry : cases) {
        const auto& key = entry.first;
        const auto& follow = entry.second;
        CAPTURE(key);
        CHECK_NOTHROW(follow()); // so that one that fails hides none behind it
    }
}

TEST_SUITE_END();

} // namespace usher::running_workers_test
