// SPDX-License-Identifier: MIT
#include "tests/support/eventually.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/load.hpp"
#include "tests/support/node_programs.hpp"
#include "tests/support/one_pool.hpp"
#include "tests/support/process_facts.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/support/usher_process.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <csignal>

namespace usher::probe_test {

using namespace usher::test;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

constexpr usher::sys::ExitStatus success{};

json demo_with(const std::vector<std::string>& switches, const json& probe)
{
    std::vector<std::string> command{demo_program()};
    command.insert(command.end(), switches.begin(), switches.end());
    return {{"command", command}, {"probe", probe}};
}

json faulty(const char* mode)
{
    return {{"command", {faulty_worker_program(), mode, demo_program()}},
            {"probe", {{"path", "/"}}},
            {"start_timeout", "2s"},
            {"start_attempts", 1}};
}

/// What status says of the worker in slot 1.
json worker(const UsherProcess& usher)
{
    const auto status = json::parse(usher.command({"status", "--json"}).output);
    return status.at("pools").at(0).at("workers").at(0);
}

} // namespace

TEST_SUITE_BEGIN("probe");

TEST_CASE("a worker that answers as expected is ready, and the probe is in no figure of clients")
{
    const OnePool pool{demo_with({}, {{"path", "/health"}})};
    UsherProcess usher{pool.run()};
    usher.wait_until_ready(1);
    CHECK(usher.count("asked again") == 0);
    const auto facts = worker(usher);
    CHECK(facts.at("handed_off") == 0);
    CHECK(facts.at("queued") == 0);

    // What the worker counts and what the master counts stay in step: no fault is seen.
    for (int i = 0; i < 100; ++i)
        CHECK(get(usher.port(), "/").ok());
    CHECK(eventually([&] { return worker(usher).at("open") == 0; }));
    CHECK(worker(usher).at("handed_off") == 100);
    CHECK(usher.stop() == success);
    CHECK(usher.count("retired") == 0);
}

TEST_CASE("the probe does not shift the round robin")
{
    auto config = demo_with({"--health-after", "1"}, {{"path", "/health"}});
    config["workers"] = 3;
    const OnePool pool{config};
    UsherProcess usher{pool.run()};
    usher.wait_until_ready(3);
    const auto port = usher.port();
    for (int i = 0; i < 12; ++i)
        CHECK(get(port, "/").slot() == i % 3 + 1);
}

TEST_CASE("a worker that warms up gets no connection until its answer is good")
{
    const OnePool pool{demo_with({"--health-after", "4"}, {{"path", "/health"}})};
    UsherProcess usher{pool.run()};
    usher.wait_for("probe GET /health answered 503, not 200; it is asked again");
    CHECK(worker(usher).at("state") == "probing");
    HttpClient waiting{usher.port()};
    waiting.send_get("/");

    usher.wait_until_ready(1);
    CHECK(waiting.read_answer().ok());
    CHECK(usher.count("asked again") == 1); // the same answer is said once
    CHECK(worker(usher).at("state") == "ready");
}

TEST_CASE("the status that is expected may be another")
{
    const OnePool pool{demo_with({}, {{"path", "/no/such/page"}, {"expect", 404}})};
    UsherProcess usher{pool.run()};
    usher.wait_until_ready(1);
    CHECK(usher.count("asked again") == 0);
}

TEST_CASE("a worker whose probe never passes is a failed start that names the last answer")
{
    struct Case {
        json pool;
        std::string reason;
    };
    auto never = demo_with({"--health-after", "1000000"}, {{"path", "/health"}});
    auto slow = demo_with({}, {{"path", "/slow?ms=60000"}, {"timeout", "100ms"}});
    auto blocked = demo_with({}, {{"path", "/block?ms=60000"}, {"timeout", "1m"}});
    for (auto* const pool : {&never, &slow, &blocked}) {
        (*pool)["start_timeout"] = "2s";
        (*pool)["start_attempts"] = 1;
    }
    blocked["stop_grace"] = "100ms";
    auto never_taken = faulty("never-take");
    never_taken["probe"]["timeout"] = "1m";
    const Case cases[]{
        {never, "probe GET /health answered 503, not 200"},
        {slow, "probe GET /slow?ms=60000 had no answer within 100ms"},
        {blocked, "probe GET /block?ms=60000 has no answer yet"},
        {faulty("hang-up"), "probe GET / was hung up on before it was answered"},
        {faulty("answer-garbage"), "probe GET / has an answer that cannot be read: bad"},
        {faulty("answer-endlessly"), "probe GET / has an answer that cannot be read: "},
        {never_taken, "probe GET / has no answer yet"},
    };
    for (const auto& entry : cases) {
        const auto& config = entry.pool;
        const auto& reason = entry.reason;
        CAPTURE(reason);
        const OnePool pool{config};
        UsherProcess usher{pool.run()};
        CHECK(usher.wait() == usher::sys::ExitStatus{.by_signal = false, .code = 1});
        CAPTURE(usher.log());
        CHECK(usher.count("not ready after 2s, because " + reason) == 1);
        CHECK(usher.count("before it was ready: " + reason) >= 1);
        CHECK(usher.count("ready after ") == usher.count("not ready after "));
        CHECK(usher.count("went to others") == 0);
        CHECK(usher.count(" closed, which") == 0);
    }
}

TEST_CASE("a worker that dies while it is asked is a failed start, and others get no probe of its")
{
    auto config = demo_with({}, {{"path", "/exit?code=7"}});
    config["start_attempts"] = 3;
    const OnePool pool{config};
    UsherProcess usher{pool.run()};
    CHECK(usher.wait() == usher::sys::ExitStatus{.by_signal = false, .code = 1});
    CHECK(usher.count("exited with code 7 after") == 3);
    CHECK(usher.count("exited with code 7 before it was ready: probe GET /exit?code=7") >= 1);
    CHECK(usher.count("went to others") == 0);
}

TEST_CASE("a probe in the queue of a worker that is killed goes to nobody")
{
    // Slot 1 says ready and takes nothing; slot 2 is a good worker.
    auto config = faulty("never-take");
    config["workers"] = 2;
    config["start_timeout"] = "30s";
    const OnePool pool{config};
    UsherProcess usher{pool.run()};
    usher.wait_for(": ready after");
    CHECK(eventually([&] { return worker(usher).value("queued", 0) > 0; }));
    CHECK(worker(usher).at("state") == "probing");

    ::kill(usher.worker_pid(1), SIGKILL);
    usher.wait_for("killed by SIGKILL after");
    const auto status = json::parse(usher.command({"status", "--json"}).output);
    const auto facts = status.at("pools").at(0);
    CHECK(facts.at("reclaimed") == 0);
    CHECK(facts.at("closed_as_suspect") == 0);
    CHECK(facts.at("workers").at(1).at("handed_off") == 0);
    const auto answer = get(usher.port(), "/whoami");
    CHECK(json::parse(answer.body).at("connection") == 1); // no number was taken either
}

TEST_CASE("a new generation whose probe fails leaves the old one serving, exit code 1")
{
    for (const auto strategy : {"rolling", "all-at-once"}) {
        auto config = demo_with({}, {{"path", "/health"}});
        config["workers"] = 2;
        config["start_timeout"] = "2s";
        config["reload"] = {{"strategy", strategy}};
        OnePool pool{config};
        UsherProcess usher{pool.run()};
        usher.wait_until_ready(2);
        const auto port = usher.port();
        Load load{port, 4};

        config["command"] = {demo_program(), "--health-after", "1000000"};
        pool.write(config);
        const auto refused = usher.command({"reload"});
        CAPTURE(refused.output);
        CHECK(refused.code == 1);
        CHECK(refused.output.find("keeps its old generation") != std::string::npos);
        CHECK(refused.output.find("probe GET /health answered 503, not 200") != std::string::npos);

        config["command"] = {demo_program(), "--health-after", "2"};
        config["start_timeout"] = "30s";
        pool.write(config);
        CHECK(usher.command({"reload"}).code == 0);
        CHECK(json::parse(get(port, "/whoami").body).at("generation") == 2);

        // A probe alone needs no new workers; whoever is started from now on must pass it.
        config["probe"]["expect"] = 201;
        config["start_timeout"] = "2s";
        pool.write(config);
        CHECK(usher.command({"reload"}).code == 0);
        CHECK(json::parse(get(port, "/whoami").body).at("generation") == 2);
        CHECK(usher.command({"restart", "1"}).code == 1);

        load.wait_for(100);
        load.stop();
        CAPTURE(load.first_problem());
        CHECK(load.problems() == 0);
        CHECK(eventually([&] { return children_of(usher.pid()).size() == 2; }));
    }
}

TEST_CASE("probes leave no descriptor behind in the master")
{
    auto config = demo_with({"--health-after", "2"}, {{"path", "/health"}});
    const OnePool pool{config};
    UsherProcess usher{pool.run()};
    usher.wait_until_ready(1);
    const auto count = [&] { return descriptors_of(usher.pid()).size(); };
    const auto before = count();
    for (int i = 0; i < 5; ++i)
        CHECK(usher.command({"restart", "1"}).code == 0);
    CHECK(eventually([&] { return count() <= before; }));
}

TEST_CASE("programs of other dialects are asked, too, on a connection that no figure shows")
{
    const TempDir folder;
    const auto server = folder.write("server.js", R"(
        let asked = 0;
        require('http').createServer((request, response) => {
            response.statusCode = request.url === '/health' && ++asked === 1 ? 503 : 200;
            response.end('ok');
        }).listen(0, '127.0.0.1');
    )");
    for (const char* const dialect : {"node", "preload"}) {
        CAPTURE(std::string{dialect});
        const OnePool pool{{{"command", {node_program(), server}},
                            {"dialect", dialect},
                            {"probe", {{"path", "/health"}}}}};
        UsherProcess usher{pool.run()};
        usher.wait_for("probe GET /health answered 503, not 200; it is asked again");
        usher.wait_until_ready(1);
        CHECK(worker(usher).at("handed_off") == 0);
        CHECK(worker(usher).at("queued") == 0);
        CHECK(get(usher.port(), "/").ok());
        CHECK(eventually([&] { return worker(usher).at("handed_off") == 1; }));
        CHECK(usher.count("retired") == 0);
        CHECK(usher.stop() == success);
    }
}

TEST_SUITE_END();

} // namespace usher::probe_test
