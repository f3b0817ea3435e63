// SPDX-License-Identifier: MIT
// What workers tell each other and share, by the libraries for Python and Node under a real master,
// and the examples, those in C++ as well.
#include "tests/support/config_file.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/from_environment.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/node_programs.hpp"
#include "tests/support/one_pool.hpp"
#include "tests/support/process_facts.hpp"
#include "tests/support/usher_process.hpp"

#include <doctest/doctest.h>
#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <csignal>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace usher::sharing_test {

using namespace usher::test;
using nlohmann::json;

namespace {

constexpr int count = 3;

/// Workers of every library in one pool: slot 1 is Python with threads, 2 asyncio, 3 Node.
class EveryLibrary {
public:
    explicit EveryLibrary(json keys = json::object())
        : pool_{with_command(std::move(keys))}, usher{pool_.run()}
    {
        usher.wait_until_ready(count);
    }

    /// What the worker in `slot` answers to `target`.
    std::string ask(int slot, const std::string& target)
    {
        while (!clients_.contains(slot)) {
            HttpClient client{usher.port()};
            client.send_get("/", false);
            const auto found = client.read_answer().slot();
            clients_.insert_or_assign(found, std::move(client));
        }
        auto& client = clients_.at(slot);
        client.send_get(target, false);
        return client.read_answer().body;
    }

    /// Waits until the worker in `slot` answers so.
    [[nodiscard]] bool comes_to(int slot, const std::string& target, const std::string& answer)
    {
        return eventually([&] { return ask(slot, target) == answer; });
    }

    void kill(int slot)
    {
        clients_.erase(slot);
        ::kill(usher.worker_pid(static_cast<unsigned>(slot)), SIGKILL);
    }

    void forget_connections() { clients_.clear(); }

private:
    static json with_command(json keys)
    {
        keys["workers"] = count;
        keys["command"] = {
            "/bin/sh", "-c",
            fmt::format("case $USHER_SLOT in 1) exec {0} {2}worker.py threads;; 2) exec {0} "
                        "{2}worker.py asyncio;; *) exec {1} {2}worker.js node;; esac",
                        python_program(), node_program(), source_folder() + "/tests/sharing/")};
        return keys;
    }

    OnePool pool_;
    std::map<int, HttpClient> clients_; // kept alive: a worker's turn need not be waited for

public:
    UsherProcess usher;
};

/// Calls `check` with three workers of each of these programs, the same in several languages.
template <typename Check>
void for_each_of(const std::vector<json>& commands, Check check)
{
    for (const auto& command : commands) {
        INFO(command.dump());
        const OnePool pool{{{"command", command}, {"workers", count}}};
        UsherProcess usher{pool.run()};
        usher.wait_until_ready(count);
        check(usher);
    }
}

std::string example(const std::string& file)
{
    return source_folder() + "/worker/examples/" + file;
}

/// An HTTP server in Python, in Node, and in C++ as the variable names it.
std::vector<json> example_commands(const std::string& name, const char* variable)
{
    return {{python_program(), example(name + ".py"), "0"},
            {node_program(), example(name + ".js"), "0"},
            json::array({from_environment(variable)})};
}

} // namespace

TEST_SUITE_BEGIN("sharing");

TEST_CASE("what one worker publishes all have, whatever library they use, in its order")
{
    EveryLibrary site;
    std::string expected;
    for (int slot = 1; slot <= count; ++slot)
        for (const char* const topic : {"news.a", "news.b"}) {
            CHECK(site.ask(slot, fmt::format("/publish/{}/{}", topic, slot)) == "3");
            expected +=
                fmt::format("{}{} default/{} {}", expected.empty() ? "" : "\n", topic, slot, slot);
        }
    for (int slot = 1; slot <= count; ++slot)
        CHECK(site.comes_to(slot, "/heard", expected));
    CHECK(site.ask(1, "/publish/other.c/1") == "0");
}

TEST_CASE("what is sent to one comes to that one alone")
{
    EveryLibrary site;
    for (int slot = 1; slot <= count; ++slot) {
        const int other = slot % count + 1;
        CHECK(site.ask(slot, fmt::format("/send/{}/[true]", other)) == "1");
        CHECK(eventually([&] {
            return site.ask(other, "/heard").starts_with(fmt::format("- default/{} [", slot));
        }));
    }
    for (int slot = 1; slot <= count; ++slot) {
        const auto heard = site.ask(slot, "/heard");
        CHECK(std::ranges::count(heard, '\n') == 0);
    }
}

TEST_CASE("a request is answered by all others")
{
    EveryLibrary site;
    CHECK(site.ask(1, "/ask") == "2:asyncio 3:node missing []");
    CHECK(site.ask(2, "/ask") == "1:threads 3:node missing []");
    CHECK(site.ask(3, "/ask") == "1:threads 2:asyncio missing []");
}

TEST_CASE("what one writes is in its own copy at once, and in all others' soon")
{
    EveryLibrary site;
    for (int slot = 1; slot <= count; ++slot) {
        const auto value = std::to_string(slot * 11);
        static_cast<void>(site.ask(slot, "/put/key/" + value));
        CHECK(site.ask(slot, "/get/key") == value);
        for (int other = 1; other <= count; ++other)
            CHECK(site.comes_to(other, "/get/key", value));
    }
}

TEST_CASE("of increments and updates from all sides none is lost")
{
    EveryLibrary site;
    constexpr int rounds = 30;
    static_cast<void>(site.ask(1, "/get/key"));
    const auto port = site.usher.port();
    std::vector<std::thread> sides;
    for (int side = 0; side < count; ++side) // strict turns: all workers from each side
        sides.emplace_back([port, side] {
            for (int round = 0; round < rounds; ++round) {
                static_cast<void>(get(port, "/add/sum/2"));
                static_cast<void>(get(port, fmt::format("/append/all/{}", side * rounds + round)));
            }
        });
    for (auto& side : sides)
        side.join();
    for (int slot = 1; slot <= count; ++slot) {
        CHECK(site.comes_to(slot, "/get/sum", std::to_string(2 * count * rounds)));
        CHECK(eventually([&] {
            const auto all = json::parse(site.ask(slot, "/get/all"));
            return std::set<int>(all.begin(), all.end()).size() == std::size_t{count} * rounds;
        }));
    }
}

TEST_CASE("there is one leader, and another when it is killed")
{
    EveryLibrary site;
    const auto leaders = [&] {
        std::vector<int> found;
        for (int slot = 1; slot <= count; ++slot)
            if (site.ask(slot, "/lead") == "True")
                found.push_back(slot);
        return found;
    };
    CHECK(eventually([&] { return leaders().size() == 1; }));
    for (int killed = 0; killed < count; ++killed) {
        const auto before = leaders();
        REQUIRE(before.size() == 1);
        const auto ready = site.usher.count(" ready after ");
        site.kill(before[0]);
        site.usher.wait_until_ready(ready + 1);
        CHECK(eventually([&] { return leaders().size() == 1; }));
    }
}

TEST_CASE(
    "by a reload leadership passes on, each stopping before the next begins, and the store stays")
{
    EveryLibrary site{json{{"drain_timeout", "1s"}}};
    static_cast<void>(site.ask(1, "/put/key/5"));
    site.usher.wait_for("leader True");
    site.forget_connections();
    CHECK(site.usher.command({"reload"}).code == 0);
    for (int slot = 1; slot <= count; ++slot)
        CHECK(site.comes_to(slot, "/get/key", "5"));
    site.usher.wait_for_count("leader True", 2);
    std::string order;
    const auto log = site.usher.log();
    for (auto at = log.find("leader "); at != std::string::npos; at = log.find("leader ", at + 1))
        order += log[at + 7];
    CHECK(order.starts_with("TFT"));
}

TEST_CASE("a new worker has all of 10,000 keys before its first connection")
{
    EveryLibrary site;
    CHECK(site.ask(3, "/fill/10000") == "done");
    for (int slot = 1; slot <= count; ++slot) {
        const auto before = site.usher.worker_pid(static_cast<unsigned>(slot));
        site.kill(slot);
        HttpAnswer answer;
        do {
            answer = get(site.usher.port(), "/size");
            CHECK(answer.body == "10000");
        } while (answer.slot() != slot);
        CHECK(answer.pid() != before);
    }
}

TEST_CASE("so has one of Node's cluster that opens the store before it listens")
{
    ConfigFile file;
    file.pool["command"] = {node_program(), source_folder() + "/tests/sharing/worker.js", "node"};
    file.pool["dialect"] = "node";
    file.pool["workers"] = 1;
    file.pool.erase("listen");
    file.write();
    UsherProcess usher{file.run()};
    usher.wait_until_ready(1);
    CHECK(get(usher.port(), "/fill/10000").body == "done");
    ::kill(usher.worker_pid(1), SIGKILL);
    CHECK(get(usher.port(), "/size").body == "10000");
}

TEST_CASE("a bus and a store with nothing to do make no system call")
{
    const auto pool = [](const char* name, json command) {
        return json{{"name", name},
                    {"dialect", "none"},
                    {"workers", 1},
                    {"command", std::move(command)},
                    {"env", {{"TEST_ALL", "2"}}}};
    };
    const auto folder = source_folder() + "/tests/sharing/";
    ConfigFile with;
    with.pool = pool("one", {python_program(), folder + "app.py", "none"});
    with.more_pools = {pool("two", {python_program(), folder + "app.py", "none"}),
                       pool("three", {from_environment("USHER_TEST_CHAT"), "127.0.0.1:0"})};
    for (auto* const each : {&with.pool, &with.more_pools[0], &with.more_pools[1]})
        (*each)["bus"] = {{"share", "all"}};
    with.write();
    ConfigFile without;
    without.pool = pool("one", {"sleep", "1000"});
    without.more_pools = {pool("two", {"sleep", "1000"}), pool("three", {"sleep", "1000"})};
    without.write();
    UsherProcess usher{with.run()};
    UsherProcess other{without.run()};
    usher.wait_until_ready(count);
    other.wait_until_ready(count);
    usher.wait_for_count("all heard,", 2);
    usher.wait_for_count("all have answered,", 2);

    const auto waits = [&] {
        std::size_t all = 0;
        for (const auto worker : children_of(usher.pid()))
            all += waits_of(worker);
        return all;
    };
    // What has been said last is done by then.
    CHECK(eventually([&, before = waits()]() mutable {
        std::this_thread::sleep_for(500ms);
        const auto now = waits();
        return std::exchange(before, now) == now;
    }));
    const auto workers = waits();
    const auto master = waits_of(usher.pid());
    const auto other_master = waits_of(other.pid());
    std::this_thread::sleep_for(5s);
    CHECK(waits() == workers);
    // Each looks at its workers once a second; one more each second would be 5.
    CHECK(waits_of(usher.pid()) - master <= waits_of(other.pid()) - other_master + 3);
}

TEST_CASE("workers of every dialect have all of the bus, and pools that share it have one")
{
    const auto folder = source_folder() + "/tests/sharing/";
    const auto with = [&](const std::string& name, const std::string& dialect, json command) {
        json pool{{"name", name},
                  {"dialect", dialect},
                  {"workers", 1},
                  {"command", std::move(command)},
                  {"bus", {{"share", "all"}, {"max_bytes", "1MiB"}}},
                  {"env", {{"TEST_ALL", "6"}}}};
        if (dialect != "none" && dialect != "node")
            pool["listen"] = "127.0.0.1:0";
        if (dialect == "native")
            pool["stall_timeout"] = "10m"; // below it is stopped for as long as it takes
        return pool;
    };
    const json gunicorn{"gunicorn", "-w", "1", "--chdir", folder, "app:app"};
    ConfigFile file;
    file.pool = with("library", "native", {python_program(), folder + "app.py", "native"});
    file.more_pools = {with("shim", "preload", gunicorn), with("found", "auto", gunicorn),
                       with("sockets", "listen-fds", gunicorn),
                       with("cluster", "node", {node_program(), folder + "app.js"}),
                       with("jobs", "none", {python_program(), folder + "app.py", "none"})};
    file.write();
    UsherProcess usher{file.run()};
    std::vector<pid_t> readers;
    for (const std::string name :
         {"library/1", "shim/1", "found/1", "sockets/1", "jobs/1", "cluster/1"}) {
        const auto mark = "all here, " + name + " ";
        const auto line = usher.wait_for(mark);
        readers.push_back(std::stoi(line.substr(line.find(mark) + mark.size())));
        CHECK(line.find("alone") == std::string::npos); // Node's has cluster.worker besides
        usher.wait_for("all heard, " + name);
        usher.wait_for("all have answered, " + name);
    }
    usher.wait_for_count("leader True", readers.size()); // each pool has its own

    const auto flood = '"' + std::string(60'000, 'x') + '"';
    for (const auto reader : readers)
        ::kill(reader, SIGSTOP);
    for (int i = 0; i < 40; ++i) // more than a socket holds, and 1 MiB
        CHECK(usher.command({"publish", "flood", flood, "--pool", "jobs"}).output == "6 got it\n");
    for (const auto reader : readers)
        ::kill(reader, SIGCONT);
    for (const std::string name :
         {"library/1", "shim/1", "found/1", "sockets/1", "jobs/1", "cluster/1"})
        usher.wait_for("some lost, " + name);
}

TEST_CASE("the process that gunicorn puts in the place of one that died has the bus, and a second "
          "has not")
{
    const auto folder = source_folder() + "/tests/sharing/";
    const auto with = [&](const char* workers) {
        return json{{"command", {"gunicorn", "-w", workers, "--chdir", folder, "app:app"}},
                    {"dialect", "preload"},
                    {"env", {{"TEST_ALL", "2"}}}};
    };
    const OnePool one{with("1")};
    UsherProcess usher{one.run()};
    const auto line = usher.wait_for("leader True ");
    usher.wait_for("here: 1");
    ::kill(std::stoi(line.substr(line.find("True ") + 5)), SIGKILL);
    usher.wait_for("all here, default/1");
    usher.wait_for_count("leader True ", 2);
    CHECK(usher.count("started") == 1); // all of it in one worker

    const OnePool two{with("2")};
    UsherProcess other{two.run()};
    other.wait_for("of this worker has the bus open");
}

TEST_CASE("of the rate limiter's workers each knows what the others have let through")
{
    const auto commands = example_commands("rate_limiter", "USHER_TEST_RATE_LIMITER");
    for_each_of(commands, [](UsherProcess& usher) {
        int passed = 0;
        for (int request = 0; request < 15; ++request)
            passed += get(usher.port(), "/").ok() ? 1 : 0;
        CHECK(passed == 10);
    });
}

TEST_CASE("a session's visits are counted whichever worker it comes to, and so are the sessions")
{
    const auto commands = example_commands("session_counter", "USHER_TEST_SESSION_COUNTER");
    for_each_of(commands, [](UsherProcess& usher) {
        std::string cookie;
        for (int visit = 1; visit <= 5; ++visit) {
            HttpClient client{usher.port()};
            client.send(fmt::format("GET / HTTP/1.1\r\nHost: test\r\n{}\r\n", cookie));
            const auto answer = client.read_answer();
            CHECK(answer.body == fmt::format("visit {}, 1 sessions\n", visit));
            const auto set = answer.header("Set-Cookie");
            cookie = "Cookie: " + set.substr(0, set.find(';')) + "\r\n";
        }
        CHECK(get(usher.port(), "/").body == "visit 1, 2 sessions\n");
    });
}

TEST_CASE("a flag that one worker sets all see")
{
    const auto commands = example_commands("feature_flag", "USHER_TEST_FEATURE_FLAG");
    for_each_of(commands, [](UsherProcess& usher) {
        CHECK(get(usher.port(), "/").body == "Hello!\n");
        HttpClient client{usher.port()};
        client.send("POST /on HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n");
        static_cast<void>(client.read_answer());
        CHECK(eventually([&] { // in turn: each of them
            bool all = true;
            for (int worker = 0; worker < count; ++worker)
                all = get(usher.port(), "/").body == "Good day to you!\n" && all;
            return all;
        }));
    });
}

TEST_CASE("who chats with one worker is read by those with the others")
{
    const std::vector<json> commands{{python_program(), example("chat.py"), "127.0.0.1:0"},
                                     {node_program(), example("chat.js"), "0"}};
    for_each_of(commands, [](UsherProcess& usher) {
        HttpClient first{usher.port()};
        HttpClient second{usher.port()};
        HttpClient third{usher.port()};
        for (auto* const client : {&first, &second, &third}) { // each has been accepted then
            client->send("/who\n");
            static_cast<void>(client->read_line());
        }
        first.send("/who\n");
        CHECK(first.read_line() == "3 here");
        second.send("hello\n");
        for (auto* const client : {&first, &second, &third})
            CHECK(client->read_line() == "hello");
    });
}

TEST_SUITE_END();

} // namespace usher::sharing_test
