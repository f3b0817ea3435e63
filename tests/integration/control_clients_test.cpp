// SPDX-License-Identifier: MIT
// Clients of the control socket that are slow, silent, many, or talk nonsense.
#include "tests/support/config_file.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/fds.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/one_pool.hpp"
#include "tests/support/process_facts.hpp"
#include "tests/support/sockets.hpp"
#include "tests/support/usher_process.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <csignal>
#include <cstdlib>
#include <deque>
#include <string>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace usher::control_clients_test {

using namespace usher::test;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

std::string request(const json& object)
{
    return object.dump() + "\n";
}

/// A master, how many descriptors it had at rest, and a check that all is well in the end.
class Fixture {
public:
    Fixture()
    {
        usher.wait_until_ready(1);
        port = usher.port();
        at_rest = descriptors();
    }

    [[nodiscard]] std::size_t descriptors() const { return descriptors_of(usher.pid()).size(); }

    void check_well()
    {
        CHECK(usher.command({"status"}).code == 0);
        CHECK(get(port, "/").ok());
        CHECK(eventually([&] { return descriptors() <= at_rest; }));
    }

    UsherProcess usher{run_demo(1)};
    std::uint16_t port = 0;
    std::size_t at_rest = 0;
};

/// As many clients that follow the events as are served.
class Crowd : public Fixture {
public:
    Crowd()
    {
        for (int i = 0; i < 128; ++i) {
            clients.emplace_back(usher.control_path());
            clients.back().send(request({{"command", "events"}, {"follow", true}}));
        }
        for (auto& client : clients)
            CHECK(json::parse(client.read_line()).at("type") == "event");
    }

    std::deque<HttpClient> clients;
};

/// For a child: its log goes nowhere, and what it frees counts as free.
void quiet_and_frugal()
{
    const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
    ::dup2(nowhere, STDERR_FILENO);
    const char* const options = std::getenv("ASAN_OPTIONS");
    const auto more = std::string{options == nullptr ? "" : options} + ":quarantine_size_mb=1";
    ::setenv("ASAN_OPTIONS", more.c_str(), 1);
}

} // namespace

TEST_SUITE_BEGIN("control_clients");

TEST_CASE_FIXTURE(Fixture, "garbage is answered with a reason and harms nobody")
{
    struct Case {
        std::string request;
        std::string answer;
    };
    const Case cases[]{
        {"garbage\n", "a request is one JSON object on one line"},
        {"\n", "a request is one JSON object on one line"},
        {std::string("\0\0\n", 3), "a request is one JSON object on one line"},
        {"[]\n", "a request is one JSON object on one line"},
        {"{\"command\":\"dance\"}\n", "\\\"dance\\\" is no command"},
        {"{\"command\":\"\xff\"}\n", "a request is one JSON object on one line"},
        {"{\"command\":7}\n", "is no command"},
        {"{\"command\":\"restart\",\"slot\":-1}\n", "must be a number"},
        {std::string(10, '[') + std::string(10, ']') + "\n", "a request is one JSON object"},
        {std::string(9 << 20, 'x'), "a request has at most 9 MiB"},
    };
    for (const auto& [request, answer] : cases) {
        HttpClient client{usher.control_path()}; // a plain byte stream is all that is needed
        client.send(request);
        const auto line = client.read_line();
        CHECK(json::parse(line).at("outcome") == "bad_request");
        CHECK(line.find(answer) != std::string::npos);
    }
    check_well();
}

TEST_CASE_FIXTURE(Fixture, "a flood without a line's end is cut off")
{
    HttpClient flood{usher.control_path()};
    CHECK_THROWS([&] {
        for (int i = 0; i < 1000; ++i)
            flood.send(std::string(1 << 16, 'x'));
    }());
    check_well();
}

TEST_CASE_FIXTURE(Fixture, "clients that hang up in the middle of a line leave nothing behind")
{
    for (int i = 0; i < 50; ++i) {
        const HttpClient client{usher.control_path()};
        client.send("{\"command\":\"sta");
    }
    for (int i = 0; i < 50; ++i) {
        const HttpClient client{usher.control_path()};
        client.send(request({{"command", "events"}, {"follow", true}}));
    }
    check_well();
}

TEST_CASE_FIXTURE(Fixture, "a client that says nothing is hung up on")
{
    HttpClient silent{usher.control_path()};
    HttpClient half{usher.control_path()};
    half.send("{\"command\":");
    CHECK(silent.sees_end(60s));
    CHECK(half.sees_end(60s));
    check_well();
}

TEST_CASE_FIXTURE(Fixture, "100 clients at once are all answered")
{
    std::deque<HttpClient> clients;
    for (int i = 0; i < 100; ++i)
        clients.emplace_back(usher.control_path());
    for (auto& client : clients)
        client.send(request({{"command", "status"}}));
    for (auto& client : clients) {
        CHECK(json::parse(client.read_line()).at("status").at("pid") == usher.pid());
        CHECK(json::parse(client.read_line()).at("outcome") == "done");
        CHECK(client.sees_end(60s));
    }
    clients.clear();
    check_well();
}

TEST_CASE_FIXTURE(Crowd, "too many at once are told so, and those that were first are served")
{
    const auto refused = usher.command({"reload"});
    CHECK(refused.code == 1);
    CHECK(refused.output == "usher: 128 clients speak to this usher already; try again later\n");
    CHECK(usher.command({"status"}).code == 0); // which is soon over
    CHECK(get(port, "/").ok());
    clients.clear();
    CHECK(eventually([&] { return usher.command({"reload"}).code == 0; }));
    check_well();
}

TEST_CASE_FIXTURE(Crowd, "a stop gets through, however many are served")
{
    CHECK(usher.command({"stop"}).code == 0);
    CHECK(usher.wait(60s) == usher::sys::ExitStatus{});
}

TEST_CASE_FIXTURE(Crowd, "those that say nothing make way, the oldest first")
{
    for (int i = 0; i < 100; ++i)
        clients.emplace_back(usher.control_path());
    CHECK(usher.command({"status"}).code == 0);
    CHECK(clients.at(128).read_line().find("clients speak to this usher already") !=
          std::string::npos);
    CHECK(clients.at(128).sees_end(60s));
    clients.back().send(request({{"command", "status"}})); // the youngest has its place
    CHECK(json::parse(clients.back().read_line()).contains("status"));
    CHECK(clients.front().sees_end(0s) == false); // and so have those that are served
    clients.clear();
    check_well();
}

TEST_CASE_FIXTURE(Fixture, "those that say nothing are in nobody's way")
{
    std::deque<HttpClient> silent;
    for (int i = 0; i < 200; ++i)
        silent.emplace_back(usher.control_path());
    CHECK(usher.command({"restart", "1"}).code == 0);
    silent.clear();
    check_well();
}

TEST_CASE("who has gone while what it asked for is under way costs nothing and is in nobody's way")
{
    ConfigFile config;
    config.pool["reload"] = {{"soak", "1m"}};
    config.write();
    UsherProcess usher{config.run()};
    usher.wait_until_ready(2);
    config.pool["env"] = {{"NEW", "1"}};
    config.write();
    usher.signal(SIGHUP);
    usher.wait_until_ready(4); // all soak
    const auto descriptors = [&] { return descriptors_of(usher.pid()).size(); };
    const auto before = descriptors();
    SUBCASE("that has said no more")
    {
        for (int i = 0; i < 150; ++i) {
            HttpClient client{usher.control_path()};
            client.send(request({{"command", "reload"}}));
        }
    }
    SUBCASE("that has sent something out of band as well")
    {
        std::deque<HttpClient> clients;
        for (int i = 0; i < 20; ++i) {
            clients.emplace_back(usher.control_path());
            clients.back().send(request({{"command", "reload"}}));
        }
        for (int round = 0; round < 3; ++round) {
            CHECK(usher.command({"status"}).code == 0); // what they said is read by now
            for (const auto& client : clients)
                if (::send(client.fd(), "!", 1, MSG_OOB | MSG_NOSIGNAL) != 1)
                    MESSAGE("not tried: this kernel knows none in Unix sockets");
        }
        CHECK(usher.command({"status"}).code == 0);
    }
    CHECK(eventually([&] { return descriptors() <= before; }, 20s));
    CHECK(usher.command({"reload", "--timeout", "100ms"}).code == 6); // is not refused
}

TEST_CASE_FIXTURE(Fixture, "who has said all waits for its answer")
{
    auto client = connect_to(sys::SocketAddress::unix_path(usher.control_path()));
    write_text(client.get(), request({{"command", "restart"}, {"slot", 1}}));
    REQUIRE(::shutdown(client.get(), SHUT_WR) == 0);
    std::string text;
    for (char buffer[4096];;) {
        const auto size = ::read(client.get(), buffer, sizeof buffer);
        if (size <= 0)
            break;
        text.append(buffer, static_cast<std::size_t>(size));
    }
    CHECK(text.find(R"("outcome":"done")") != std::string::npos);
}

TEST_CASE("a client that does not read misses lines, is told how many, and costs little memory")
{
    // Workers that cannot be started make events as fast as they may, each of some KiB.
    const OnePool pool{
        {{"command", {"/no/such/program/" + std::string(3'000, 'x')}},
         {"workers", 4},
         {"start_attempts", 1'000'000},
         {"restart",
          {{"first_delay", "1ms"}, {"longest_delay", "1ms"}, {"give_up_after", 1'000'000}}}}};
    UsherProcess usher{pool.run(), quiet_and_frugal};
    REQUIRE(eventually([&] { return usher.command({"status"}).code == 0; }));
    const auto published = [&] {
        const auto status = json::parse(usher.command({"status", "--json"}).output);
        return status.at("events").at("spawn-failed").get<long>();
    };
    std::deque<HttpClient> clients;
    for (int i = 0; i < 3; ++i) {
        clients.emplace_back(usher.control_path());
        clients.back().send(request({{"command", "events"}, {"follow", true}}));
    }
    CHECK(json::parse(clients.front().read_line()).at("type") == "event");
    const auto begin = published();
    const auto memory = resident_bytes(usher.pid());
    REQUIRE(eventually([&] { return published() > begin + 1'200; }, 60s)); // 4 MB for each client
    CHECK(resident_bytes(usher.pid()) < memory + 20UL * 1024 * 1024);

    for (auto& client : clients) {
        json line;
        long seen = 0;
        do {
            line = json::parse(client.read_line());
            ++seen;
        } while (line.at("type") == "event");
        CHECK(line.at("type") == "dropped");
        CHECK(line.at("count") > 0);
        CHECK(line.at("message").get<std::string>().find("left out here") != std::string::npos);
        CHECK(seen > 100);
        CHECK(json::parse(client.read_line()).at("type") == "event"); // and on it goes
    }
    clients.clear();
    CHECK(usher.command({"stop", "--now"}).code == 0);
}

TEST_SUITE_END();

} // namespace usher::control_clients_test
