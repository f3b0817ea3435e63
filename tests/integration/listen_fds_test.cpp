// SPDX-License-Identifier: MIT
// Workers that take listening sockets as services of systemd do.
#include "tests/support/config_file.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/load.hpp"
#include "tests/support/process_facts.hpp"
#include "tests/support/shell.hpp"
#include "tests/support/usher_process.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <csignal>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include <sys/stat.h>

namespace usher::listen_fds_test {

using namespace usher::test;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

const auto success = usher::sys::ExitStatus{};

/// A pool of tests/listen_fds/server.py, and the FIFO its requests for /slow wait at.
struct Site : ConfigFile {
    explicit Site(unsigned workers, const std::vector<std::string>& arguments = {},
                  const json& more = json::object())
    {
        REQUIRE(::mkfifo(gate().c_str(), 0600) == 0);
        std::vector<std::string> command{"python3",
                                         source_folder() + "/tests/listen_fds/server.py"};
        command.insert(command.end(), arguments.begin(), arguments.end());
        pool["command"] = command;
        pool["dialect"] = "listen-fds";
        pool["workers"] = workers;
        pool["env"] = {{"GATE", gate()}};
        pool["restart"] = {{"first_delay", "10ms"}};
        pool["start_delay"] = "30s"; // so that nobody is ready for having waited
        pool.update(more);
        top["log_level"] = "debug";
        write();
    }

    [[nodiscard]] std::string gate() const { return in_folder("gate"); }

    /// Lets one that waits at the gate go on.
    void open_gate() const { std::ofstream{gate()} << "go\n" << std::flush; }
};

json pool_status(const UsherProcess& usher)
{
    return json::parse(usher.command({"status", "--json"}).output).at("pools").at(0);
}

std::set<int> slots_of(std::uint16_t port, int requests)
{
    std::set<int> slots;
    for (int i = 0; i < requests; ++i)
        slots.insert(get(port, "/").slot());
    return slots;
}

} // namespace

TEST_SUITE_BEGIN("listen_fds");

TEST_CASE("each worker has sockets of its own, and is told about them as systemd tells it")
{
    Site site{3, {}, {{"listen", {{{"address", "127.0.0.1:0"}, {"name", "web"}}, "127.0.0.1:0"}}}};
    UsherProcess usher{site.run()};
    usher.wait_until_ready(3);
    usher.wait_for_count("listening on", 2);

    const auto answer = get(usher.port(), "/");
    CHECK(answer.body.find("LISTEN_FDS=2\nLISTEN_FDNAMES=web:unknown\nNOTIFY_SOCKET=/") == 0);
    CHECK(answer.body.find("WATCHDOG_USEC=\nown watchdog: False") != std::string::npos);
    for (const std::size_t listener : {0U, 1U})
        CHECK(slots_of(usher.port(listener), 200) == std::set<int>{1, 2, 3});

    const auto pool = pool_status(usher);
    for (const char* unknown : {"handed_off", "reclaimed", "closed_as_suspect"})
        CHECK(pool.at(unknown).is_null());
    for (const char* unknown : {"handed_off", "queued", "open"})
        CHECK(pool.at("workers").at(0).at(unknown).is_null());
    CHECK(usher.command({"status"}).output.find("its workers accept by themselves") !=
          std::string::npos);
    CHECK(usher.stop() == success);
}

TEST_CASE("a worker is ready when it waits for connections, by epoll or in accept")
{
    for (const char* way : {"epoll", "accept"}) {
        CAPTURE(way);
        Site site{2, {way}};
        UsherProcess usher{site.run()};
        usher.wait_until_ready(2);
        CHECK(slots_of(usher.port(), 100) == std::set<int>{1, 2});
    }
}

TEST_CASE("a worker that does not show what it waits for is ready after start_delay")
{
    Site site{1, {"select"}, {{"start_delay", "150ms"}}};
    UsherProcess usher{site.run()};
    const auto text = usher.wait_for("ready after ");
    CHECK(std::stoi(text.substr(text.find("ready after ") + 12)) >= 150);
    CHECK(get(usher.port(), "/").ok());
}

TEST_CASE("with ready: notify it is READY=1 that counts, and STATUS, STOPPING and WATCHDOG too")
{
    Site site{1,
              {"epoll", "notify=STATUS=warming up", "line", "notify=READY=1|STATUS=serving"},
              {{"ready", "notify"}, {"stall_timeout", "5s"}}};
    site.pool.erase("start_delay");
    site.write();
    UsherProcess usher{site.run()};
    usher.wait_for("says: warming up");
    CHECK(pool_status(usher).at("workers").at(0).at("state") == "starting");
    CHECK(pool_status(usher).at("workers").at(0).at("says") == "warming up");
    site.open_gate();
    usher.wait_until_ready(1);
    CHECK(pool_status(usher).at("workers").at(0).at("says") == "serving");
    CHECK(usher.command({"status"}).output.find("says: serving") != std::string::npos);
    CHECK(get(usher.port(), "/").body.find("WATCHDOG_USEC=5000000\nown watchdog: True") !=
          std::string::npos);
    CHECK(usher.stop() == success);
}

TEST_CASE("a worker that is to notify and does not has failed to start, and the log says why")
{
    Site site{1, {}, {{"ready", "notify"}, {"start_timeout", "300ms"}, {"start_attempts", 1}}};
    site.pool.erase("start_delay");
    site.write();
    UsherProcess usher{site.run()};
    usher.wait_for("not ready after 300ms, because it has not sent READY=1 to NOTIFY_SOCKET");
    CHECK(usher.wait() == usher::sys::ExitStatus{.by_signal = false, .code = 1});
}

TEST_CASE("one that says that it stops gets no signal to tell it so, and is replaced")
{
    Site site{1,
              {"epoll", "notify=READY=1", "line", "notify=STOPPING=1"},
              {{"ready", "notify"}, {"share", true}, {"drain_timeout", "200ms"}}};
    site.pool.erase("start_delay");
    site.write();
    UsherProcess usher{site.run()};
    usher.wait_until_ready(1);
    site.open_gate();
    usher.wait_for("says that it stops");
    usher.wait_for("SIGTERM, "); // after its drain_timeout
    CHECK(usher.count("to have it drain") == 0);
    usher.wait_for_count("started", 2);
}

TEST_CASE("a worker whose watchdog falls silent hangs")
{
    Site site{1,
              {"epoll", "notify=READY=1", "notify=WATCHDOG=1"},
              {{"ready", "notify"}, {"stall_timeout", "1s"}, {"hang_signal", "KILL"}}};
    site.pool.erase("start_delay");
    site.write();
    UsherProcess usher{site.run()};
    usher.wait_for("hangs, because its event loop has stood still for 3s");
    usher.wait_for_count("ready after", 2);
}

TEST_CASE("nothing goes to a worker that is not ready, although its socket listens")
{
    // The one in slot 2 never is, and never accepts.
    Site site{2};
    site.pool["command"] = {"/bin/sh", "-c",
                            "if [ $USHER_SLOT = 2 ]; then exec sleep 1000; fi; exec python3 " +
                                source_folder() + "/tests/listen_fds/server.py"};
    site.write();
    UsherProcess usher{site.run()};
    usher.wait_for("ready after");
    REQUIRE(pool_status(usher).at("workers").at(0).at("state") == "ready"); // and led to
    CHECK(slots_of(usher.port(), 100) == std::set<int>{1});
}

TEST_CASE("a reload, a scaling and a kill under load fail no request that a worker had not begun")
{
    Site site{4};
    UsherProcess usher{site.run()};
    usher.wait_until_ready(4);
    Load load{usher.port(), 4, Load::Mode::get};
    load.wait_for(200);
    CHECK(usher.command({"reload"}).code == 0);
    load.wait_for(100);
    CHECK(usher.command({"scale", "2"}).code == 0);
    load.wait_for(100);
    CHECK(usher.command({"scale", "4"}).code == 0);
    load.wait_for(100);
    load.stop();
    CHECK_MESSAGE(load.problems() == 0, load.first_problem());
    CHECK(usher.stop() == success);
}

TEST_CASE("what waits for a worker that is killed is served by the next one in its place")
{
    Site site{1};
    UsherProcess usher{site.run()};
    usher.wait_until_ready(1);
    const int pid = get(usher.port(), "/").pid();

    // It is in the middle of one request; the others are in the backlog.
    HttpClient slow{usher.port()};
    slow.send_get("/slow");
    std::ofstream gate; // opens when the worker does, so it has begun
    gate.open(site.gate());
    std::vector<HttpClient> waiting;
    for (int i = 0; i < 20; ++i) {
        waiting.emplace_back(usher.port());
        waiting.back().send_get("/");
    }
    REQUIRE(::kill(pid, SIGKILL) == 0);
    for (auto& client : waiting) {
        const auto answer = client.read_answer();
        CHECK(answer.ok());
        CHECK(answer.pid() != pid);
    }
    CHECK_THROWS(std::ignore = slow.read_answer());
}

TEST_CASE("while no worker is there, clients wait where the next one serves")
{
    Site site{1, {}, {{"restart", {{"first_delay", "300ms"}}}}};
    UsherProcess usher{site.run()};
    usher.wait_until_ready(1);
    CHECK(usher.command({"reload"}).code == 0); // leaves a socket behind that nobody has
    usher.wait_for("killed by SIGTERM");
    REQUIRE(::kill(get(usher.port(), "/").pid(), SIGKILL) == 0);
    usher.wait_for("next start in");
    std::vector<HttpClient> clients;
    for (int i = 0; i < 20; ++i) {
        clients.emplace_back(usher.port());
        clients.back().send_get("/");
    }
    for (auto& client : clients)
        CHECK(client.read_answer().ok());
}

TEST_CASE(
    "who waits for a worker that ends and that nobody follows is refused, and the log says so")
{
    Site site{2, {}, {{"restart", {{"first_delay", "10ms"}, {"longest_delay", "10ms"}}}}};
    UsherProcess usher{site.run()};
    usher.wait_until_ready(2);
    const auto pool = pool_status(usher);
    const auto last = pool.at("workers").at(1).at("pid").get<pid_t>();
    REQUIRE(::kill(last, SIGSTOP) == 0); // it accepts nothing, and connections come to it
    std::vector<HttpClient> waiting;
    for (int i = 0; i < 60; ++i)
        waiting.emplace_back(usher.port());
    CHECK(usher.command({"scale", "1"}).code == 0);
    usher.wait_for("draining,");
    REQUIRE(::kill(last, SIGKILL) == 0);
    usher.wait_for("because the worker of that socket has ended");
}

TEST_CASE("a worker that shuts its socket down takes nobody else's down with it")
{
    Site site{2, {"epoll", "shutdown"}};
    UsherProcess usher{site.run()};
    usher.wait_until_ready(2);
    for (std::size_t i = 1; i <= 3; ++i) {
        CHECK(usher.command({"reload"}).code == 0);
        // A reload has all sockets listen again, with its backlog, so the next one comes later.
        usher.wait_for_count("has shut its listening socket down", 2 * i);
    }
    CHECK(slots_of(usher.port(), 60) == std::set<int>{1, 2});
}

TEST_CASE("a reload changes the backlog of the sockets there are")
{
    Site site{1, {}, {{"backlog", 100}, {"listen", {"127.0.0.1:0", "127.0.0.1:0"}}}};
    UsherProcess usher{site.run()};
    usher.wait_until_ready(1);
    const auto backlog = [&] {
        return std::stoi(
            output_of("ss -ltnH sport = :" + std::to_string(usher.port()) + " | awk '{print $3}'"));
    };
    CHECK(backlog() == 100);
    site.pool["backlog"] = 200;
    site.write();
    CHECK(usher.command({"reload"}).code == 0);
    CHECK(backlog() == 200);
}

TEST_CASE("a worker that drains finishes what it has before its signal comes")
{
    Site site{1};
    UsherProcess usher{site.run()};
    usher.wait_until_ready(1);
    HttpClient slow{usher.port()};
    slow.send_get("/slow");
    std::ofstream gate;
    gate.open(site.gate());
    CHECK(usher.command({"restart", "1"}).code == 0);
    usher.wait_for("draining, 1 open");
    CHECK(get(usher.port(), "/").ok()); // by the new one
    CHECK(usher.count("SIGTERM") == 0);
    gate << "go\n" << std::flush;
    CHECK(slow.read_answer().ok());
    usher.wait_for("SIGTERM, 0 still open");
    CHECK(usher.stop() == success);
}

TEST_CASE("with share all workers accept from one socket")
{
    Site site{2, {}, {{"share", true}}};
    UsherProcess usher{site.run()};
    usher.wait_until_ready(2);
    const int first = get(usher.port(), "/").pid();
    // Whoever is asleep cannot take a connection, so the other one does.
    REQUIRE(::kill(first, SIGSTOP) == 0);
    const auto answer = get(usher.port(), "/");
    CHECK(answer.ok());
    CHECK(answer.pid() != first);
    REQUIRE(::kill(first, SIGCONT) == 0);

    CHECK(usher.command({"reload"}).code == 0);
    usher.wait_for_count("SIGTERM, to have it drain", 2); // nothing else can tell it
    CHECK(get(usher.port(), "/").ok());
}

TEST_CASE("a Unix socket is shared, and its file goes with usher")
{
    Site site{2};
    const auto path = site.in_folder("socket");
    site.pool["listen"] = "unix:" + path;
    site.write();
    UsherProcess usher{site.run()};
    usher.wait_until_ready(2);
    HttpClient client{path};
    client.send_get("/");
    CHECK(client.read_answer().ok());
    CHECK(usher.stop() == success);
    CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("workers end with their master, however it dies")
{
    Site site{2};
    UsherProcess usher{site.run()};
    usher.wait_until_ready(2);
    std::vector<pid_t> workers;
    const auto pool = pool_status(usher);
    for (const auto& worker : pool.at("workers"))
        workers.push_back(worker.at("pid").get<pid_t>());
    usher.signal(SIGKILL);
    for (const pid_t worker : workers)
        CHECK(eventually([&] { return ::kill(worker, 0) < 0; }));
}

TEST_CASE("gunicorn takes the sockets, and tells when it is ready")
{
    Site site{2, {}, {{"ready", "notify"}}};
    site.pool.erase("start_delay");
    std::ofstream{site.in_folder("app.py")} << "import os\n"
                                               "def app(environ, start_response):\n"
                                               "    start_response('200 OK', [\n"
                                               "        ('Content-Length', '2'),\n"
                                               "        ('X-Slot', os.environ['USHER_SLOT'])])\n"
                                               "    return [b'ok']\n";
    site.pool["command"] = {"gunicorn", "-w", "1", "app:app"};
    site.pool["cwd"] = site.in_folder("");
    site.write();
    UsherProcess usher{site.run()};
    usher.wait_until_ready(2);
    CHECK(slots_of(usher.port(), 60) == std::set<int>{1, 2});
    CHECK(pool_status(usher).at("workers").at(0).at("says") == "Gunicorn arbiter booted");
    Load load{usher.port(), 4, Load::Mode::get};
    load.wait_for(50);
    CHECK(usher.command({"reload"}).code == 0);
    load.wait_for(50);
    load.stop();
    CHECK_MESSAGE(load.problems() == 0, load.first_problem());
    CHECK(usher.stop() == success);
}

TEST_CASE("a worker may have 64 sockets, and the bus behind them")
{
    Site site{1, {}, {{"start_delay", "1ms"}}};
    site.pool["command"] = {"sh", "-c",
                            "echo $LISTEN_FDS sockets, bus $USHER_BUS_FD; exec sleep 1000"};
    site.pool["listen"] = std::vector<std::string>(64, "127.0.0.1:0");
    site.write();
    UsherProcess usher{site.run()};
    usher.wait_for("64 sockets, bus 67");
    CHECK(usher.stop().code == 0);
}

TEST_CASE("what cannot change while usher runs is refused with the reason")
{
    Site site{1};
    UsherProcess usher{site.run()};
    usher.wait_until_ready(1);
    site.pool["share"] = true;
    site.write();
    auto done = usher.command({"reload"});
    CHECK(done.code == 3);
    CHECK(done.output.find("the listeners of pool \"default\" cannot change while usher runs, "
                           "because its dialect is listen-fds; restart usher") !=
          std::string::npos);
    site.pool.erase("share");
    site.pool.erase("start_delay");
    site.pool["dialect"] = "native";
    site.write();
    done = usher.command({"reload"});
    CHECK(done.code == 3);
    CHECK(done.output.find("cannot change from listen-fds to native while usher runs") !=
          std::string::npos);
    CHECK(get(usher.port(), "/").ok());
}

TEST_SUITE_END();

} // namespace usher::listen_fds_test
