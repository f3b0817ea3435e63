// SPDX-License-Identifier: MIT
// Workers in C and C++ talk to each other under a real master, by the libraries.
#include "tests/support/eventually.hpp"
#include "tests/support/from_environment.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/one_pool.hpp"
#include "tests/support/usher_process.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <csignal>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace usher::bus_workers_test {

using namespace usher::test;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

constexpr unsigned workers = 4; ///< the first is in C, the others in C++

std::string program(const char* variable)
{
    return from_environment(variable);
}

json mixed_pool()
{
    const auto script = "[ \"$USHER_SLOT\" = 1 ] && exec " + program("USHER_TEST_BUS_WORKER_C") +
                        "; exec " + program("USHER_TEST_BUS_WORKER");
    return {{"name", "web"},
            {"dialect", "native"},
            {"workers", workers},
            {"command", {"sh", "-c", script}}};
}

/// A client of a worker that does what it is told.
class Talk {
public:
    explicit Talk(std::uint16_t port) : client_{port} {}

    void say(const std::string& command) const { client_.send(command + "\n"); }
    std::string hear() { return client_.read_line(); }

    std::string ask(const std::string& command)
    {
        say(command);
        return hear();
    }

private:
    HttpClient client_;
};

/// A master with the mixed pool, and one client for each worker in C++, by slot.
struct Fixture {
    OnePool pool{mixed_pool()};
    UsherProcess usher{pool.run()};
    std::map<unsigned, Talk> talks;

    Fixture()
    {
        usher.wait_until_ready(workers);
        meet_all();
    }

    /// A client of the worker in that slot, which is in C++.  Connections go to each in turn; who
    /// is in C says so by itself and goes.
    Talk talk_to(unsigned slot)
    {
        for (;;) {
            Talk talk{usher.port()};
            talk.say("who");
            if (talk.hear() == "web/" + std::to_string(slot))
                return talk;
        }
    }

    void meet_all()
    {
        talks.clear();
        for (unsigned slot = 2; slot <= workers; ++slot)
            talks.emplace(slot, talk_to(slot));
    }

    /// Whom these say to lead.
    std::vector<unsigned> leaders()
    {
        std::vector<unsigned> found;
        for (auto& [slot, talk] : talks)
            if (talk.ask("lead") == "yes")
                found.push_back(slot);
        return found;
    }
};

} // namespace

TEST_SUITE_BEGIN("bus_workers");

TEST_CASE_FIXTURE(Fixture, "what one publishes all hear that have subscribed, itself too")
{
    CHECK(talks.at(2).ask("publish news.a.b {\"x\": 1}") == "3");
    for (auto& each : talks)
        CHECK(eventually([&] { return each.second.ask("heard") == "web/2:news.a.b:{\"x\": 1} "; }));
    CHECK(talks.at(2).ask("publish usher.x 1") == "the topic is the master's");
}

TEST_CASE_FIXTURE(Fixture, "a request is answered by all the others, in C and in C++")
{
    const auto answer = talks.at(3).ask("ask who.is null");
    CHECK(answer.find("web/1=\"c\" ") != std::string::npos);
    CHECK(answer.find("web/2=\"web/2\" ") != std::string::npos);
    CHECK(answer.find("web/4=\"web/4\" ") != std::string::npos);
    CHECK(answer.find("web/3") == std::string::npos);
    CHECK(answer.find('-') == std::string::npos);
}

TEST_CASE_FIXTURE(Fixture, "who dies instead of answering is named, and nobody waits for it")
{
    talks.at(3).say("ask dumb.2 null");
    // Which the same worker says later, so that the other is asked by now.
    Talk second = talk_to(3);
    CHECK(second.ask("publish news.x 1") == "3");
    ::kill(usher.worker_pid(2), SIGKILL);
    CHECK(talks.at(3).hear() == "-web/2 ");
}

TEST_CASE_FIXTURE(Fixture, "workers in C and C++ count one key by compare and set, and lose none")
{
    constexpr int times = 200;
    CHECK(talks.at(2).ask("publish count " + std::to_string(times)) == "1");
    for (auto& [slot, talk] : talks)
        talk.say("count count " + std::to_string(times));
    for (auto& [slot, talk] : talks)
        CHECK(std::stoi(talk.hear()) >= times);
    REQUIRE(eventually(
        [&] { return talks.at(2).ask("heard").find("web/1:news.counted") != std::string::npos; }));
    for (auto& each : talks)
        CHECK(
            eventually([&] { return each.second.ask("get count") == std::to_string(4 * times); }));
}

TEST_CASE_FIXTURE(Fixture, "a worker that comes later has the store as it is")
{
    CHECK(talks.at(2).ask("count early 1") == "1");
    ::kill(usher.worker_pid(2), SIGKILL);
    usher.wait_until_ready(workers + 1);
    meet_all();
    CHECK(talks.at(2).ask("get early") == "1");
    CHECK(talks.at(2).ask("heard").empty());
}

TEST_CASE_FIXTURE(Fixture, "a new worker has all of 10,000 keys before its first connection")
{
    CHECK(talks.at(2).ask("fill 10000") == "10000");
    talks.clear();
    ::kill(usher.worker_pid(3), SIGKILL);
    std::string answer;
    do { // the other one is in C, and says so
        answer = Talk{usher.port()}.ask("size");
        CHECK((answer == "c" || answer.ends_with(" 10000")));
    } while (!answer.starts_with("web/3 "));
}

TEST_CASE_FIXTURE(Fixture, "one leads, and when it dies or is drained another does")
{
    REQUIRE(eventually([&] { return leaders().size() == 1; }));
    const auto first = leaders().front();
    ::kill(usher.worker_pid(first), SIGKILL);
    usher.wait_until_ready(workers + 1);
    meet_all();
    REQUIRE(eventually([&] { return leaders().size() == 1; }));
    CHECK(leaders().front() != first); // the others have waited for longer

    CHECK(usher.command({"restart", "all"}).code == 0);
    meet_all();
    CHECK(eventually([&] { return leaders().size() == 1; }));
}

TEST_CASE_FIXTURE(Fixture, "workers that are drained end by themselves, although their bus is open")
{
    talks.clear();
    CHECK(usher.command({"restart", "all"}).code == 0);
    CHECK(usher.stop() == sys::ExitStatus{});
    CHECK(usher.count("exited with code 0 ") == std::size_t{2} * workers);
}

TEST_CASE("what another process of a worker has said before, and half said, is forgotten")
{
    const auto script =
        R"(printf '{"type":"subscribe","pattern":"old.>"}\n{"type":"publ' >&"$USHER_BUS_FD"; )"
        "[ \"$USHER_SLOT\" = 1 ] && exec " +
        program("USHER_TEST_BUS_WORKER_C") + "; exec " + program("USHER_TEST_BUS_WORKER");
    const OnePool pool{{{"name", "web"}, {"workers", 2}, {"command", {"bash", "-c", script}}}};
    UsherProcess usher{pool.run()};
    usher.wait_until_ready(2);
    std::optional<Talk> talk;
    do // the other one is in C
        talk.emplace(usher.port()).say("who");
    while (talk->hear() != "web/2");
    CHECK(talk->ask("ask who.is null") == "web/1=\"c\" ");
    CHECK(talk->ask("publish old.x 1") == "0");
}

TEST_CASE("of a worker's processes one has the bus")
{
    const auto chat = program("USHER_TEST_CHAT") + " 127.0.0.1:0";
    UsherProcess usher{
        {"run", "--dialect", "none", "--workers", "1", "--", "sh", "-c", chat + " & exec " + chat}};
    usher.wait_for("of this worker has the bus open, and two would take each other's messages");
}

TEST_CASE("what one client of the chat says all see, whichever worker they have")
{
    const OnePool pool{{{"command", {program("USHER_TEST_CHAT")}}, {"workers", 3}}};
    UsherProcess usher{pool.run()};
    usher.wait_until_ready(3);
    std::deque<HttpClient> clients;
    for (int i = 0; i < 6; ++i) {
        clients.emplace_back(usher.port());
        clients.back().send("here\n"); // it has entered once it hears that
        while (clients.back().read_line() != "here") {
        }
    }
    for (int i = 0; i < 3; ++i) { // of three workers
        clients[static_cast<std::size_t>(i)].send("line " + std::to_string(i) + "\n");
        for (auto& client : clients) {
            auto line = client.read_line();
            while (line == "here")
                line = client.read_line();
            CHECK(line == "line " + std::to_string(i));
        }
    }
    CHECK(usher.stop() == sys::ExitStatus{}); // with all clients in the room
}

TEST_CASE("the rate limiter in C serves a client as often as it may, all workers together")
{
    const OnePool pool{
        {{"command", {program("USHER_TEST_RATE_LIMITER_C"), "10", "3600000"}}, {"workers", 3}}};
    UsherProcess usher{pool.run()};
    usher.wait_until_ready(3);
    int served = 0;
    int refused = 0;
    for (int i = 0; i < 30; ++i) {
        const auto answer = get(usher.port(), "/");
        served += answer.ok() ? 1 : 0;
        refused += answer.head.starts_with("HTTP/1.1 429") ? 1 : 0;
    }
    CHECK(served == 10);
    CHECK(refused == 20);
}

TEST_SUITE_END();

} // namespace usher::bus_workers_test
