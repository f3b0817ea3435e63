// SPDX-License-Identifier: MIT
// Nobody waits behind a busy worker while another has an empty queue.
#include "tests/support/config_file.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/process_facts.hpp"
#include "tests/support/usher_process.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <csignal>
#include <optional>
#include <string>
#include <vector>

namespace usher::busy_test {

using namespace usher::test;
using nlohmann::json;

namespace {

/// Workers none of which is ever taken for hung: what happens is not by a rescue.
struct Site : ConfigFile {
    explicit Site(unsigned workers, const json& more = json::object())
    {
        pool["command"] = {demo_program()};
        pool["workers"] = workers;
        pool["stall_timeout"] = "0s";
        pool["move_after"] = "100ms";
        pool.update(more);
        write();
        usher.emplace(run());
        usher->wait_until_ready(workers);
    }

    /// Each takes its first connection.
    void warm_up(int workers)
    {
        for (int i = 0; i < workers; ++i)
            CHECK(get(usher->port(), "/").ok());
    }

    [[nodiscard]] json facts()
    {
        return json::parse(usher->command({"status", "--json"}).output).at("pools").at(0);
    }

    std::optional<UsherProcess> usher;
};

/// gunicorn's sync class, which serves one connection after the other, as it comes.
json gunicorn(const TempDir& folder)
{
    std::ignore = folder.write("app.py", R"(
import os
def application(environ, start_response):
    start_response('200 OK', [('X-Slot', os.environ['USHER_SLOT']), ('Content-Length', '6')])
    return [b'hello\n']
)");
    return {{"dialect", "preload"},
            {"command",
             {"/usr/bin/gunicorn", "--chdir", folder.path(), "-b", ":8000", "-w", "1", "app"}}};
}

} // namespace

TEST_SUITE_BEGIN("busy");

TEST_CASE("what waits behind a worker that computes is served by the others meanwhile")
{
    Site site{3};
    site.warm_up(3);
    HttpClient blocker{site.usher->port()};
    blocker.send_get("/block?ms=600000");
    std::vector<HttpClient> clients;
    for (int i = 0; i < 12; ++i)
        clients.emplace_back(site.usher->port()).send_get("/");
    for (auto& client : clients)
        CHECK(client.read_answer().slot() != 1);

    const auto facts = site.facts();
    CHECK(facts.at("moved") >= 1);
    CHECK(facts.at("handed_off") == 16); // each once
    std::uint64_t sum = 0;
    for (const auto& worker : facts.at("workers"))
        sum += worker.at("handed_off").get<std::uint64_t>();
    CHECK(sum == 16);
    ::kill(site.usher->worker_pid(1), SIGKILL);
}

TEST_CASE("one silent client of a server that takes one after the other holds up nobody else")
{
    const TempDir folder;
    Site site{2, gunicorn(folder)};
    site.warm_up(2);
    HttpClient silent{site.usher->port()};
    for (int i = 0; i < 10; ++i)
        CHECK(get(site.usher->port(), "/").slot() == 2);

    silent.send_get("/");
    CHECK(silent.read_answer().slot() == 1);
    // It is served in its turn again.
    CHECK(eventually([&] { return get(site.usher->port(), "/").slot() == 1; }));
    CHECK(get(site.usher->port(), "/").slot() == 2);
    CHECK(get(site.usher->port(), "/").slot() == 1);
}

TEST_CASE("while all are busy, whoever is free first serves what waits")
{
    const TempDir folder;
    Site site{2, gunicorn(folder)};
    site.warm_up(2);
    std::vector<HttpClient> silent;
    for (int i = 0; i < 2; ++i)
        silent.emplace_back(site.usher->port());
    std::vector<HttpClient> waiting;
    for (int i = 0; i < 2; ++i)
        waiting.emplace_back(site.usher->port()).send_get("/");

    SUBCASE("the first")
    {
        silent[0].send_get("/");
    }
    SUBCASE("the second")
    {
        silent[1].send_get("/");
    }
    for (auto& client : waiting) // both by the one, while the other is busy still
        CHECK(client.read_answer().ok());
}

TEST_CASE("what waits behind a busy worker that a reload replaces does not wait for its end")
{
    const TempDir folder;
    auto more = gunicorn(folder);
    more["drain_timeout"] = "10m";
    more["move_after"] = "0s";
    Site site{2, more};
    site.warm_up(2);
    HttpClient silent{site.usher->port()};
    CHECK(get(site.usher->port(), "/").slot() == 2);
    HttpClient behind{site.usher->port()};
    behind.send_get("/");
    REQUIRE(eventually([&] { return site.facts().at("workers").at(0).at("queued") == 1; }));

    site.pool["move_after"] = "100ms";
    site.pool["env"] = {{"NEW", "1"}}; // so that there are new workers
    site.write();
    CHECK(site.usher->command({"reload"}).code == 0);
    CHECK(behind.read_answer().ok());
    // Of the old ones that one is left, with the silent client.
    CHECK(eventually([&] { return site.facts().at("leaving").size() == 1; }));
    silent.send_get("/");
    CHECK(silent.read_answer().ok());
}

TEST_SUITE_END();

} // namespace usher::busy_test
