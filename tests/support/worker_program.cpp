// SPDX-License-Identifier: MIT
#include "tests/support/worker_program.hpp"

#include "tests/support/eventually.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/load.hpp"
#include "tests/support/one_pool.hpp"
#include "tests/support/process_facts.hpp"
#include "tests/support/usher_process.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <csignal>
#include <string_view>

namespace usher::test {

namespace {

constexpr unsigned workers = 4;
constexpr std::string_view first_half = "GET / HTTP/1.1\r\nHost: te";
constexpr std::string_view second_half = "st\r\nConnection: close\r\n\r\n";

WorkerProgram python_worker(const std::string& name)
{
    return {name, {python_program(), source_folder() + "/worker/examples/" + name + ".py"}};
}

/// A master with four workers of this program, ready.
class FourWorkers {
public:
    explicit FourWorkers(const WorkerProgram& program)
        : pool_{{{"command", program.command}, {"workers", workers}}}, usher_{pool_.run()}
    {
        usher_.wait_until_ready(workers);
        port_ = usher_.port();
    }

    UsherProcess* operator->() noexcept { return &usher_; }
    [[nodiscard]] std::uint16_t port() const noexcept { return port_; }

    /// A client that has sent half a request, which its worker has taken.
    [[nodiscard]] HttpClient half_asked() const
    {
        HttpClient client{port_};
        client.send(first_half);
        REQUIRE(eventually([this] { return open_connections() == 1; }));
        return client;
    }

private:
    [[nodiscard]] int open_connections() const
    {
        const auto status = nlohmann::json::parse(usher_.command({"status", "--json"}).output);
        int open = 0;
        for (const auto& worker : status.at("pools").at(0).at("workers"))
            open += worker.at("open").get<int>();
        return open;
    }

    OnePool pool_;
    UsherProcess usher_;
    std::uint16_t port_ = 0;
};

bool has_ended(pid_t pid)
{
    const char state = state_of(pid);
    return state == 0 || state == 'Z';
}

} // namespace

WorkerProgram c_worker()
{
    return {"hello.c", {hello_c_program()}};
}

WorkerProgram python_asyncio_worker()
{
    return python_worker("hello_asyncio");
}

WorkerProgram python_blocking_worker()
{
    return python_worker("hello_blocking");
}

void check_strict_turn(const WorkerProgram& program)
{
    CAPTURE(program.name);
    FourWorkers usher{program};

    int expected = get(usher.port(), "/").slot();
    int exceptions = 0;
    for (int i = 0; i < 2'000; ++i) {
        expected = expected % static_cast<int>(workers) + 1;
        exceptions += get(usher.port(), "/").slot() != expected ? 1 : 0;
    }
    CHECK(exceptions == 0);
    CHECK(usher->stop() == sys::ExitStatus{});
    CHECK(usher->count(": started") == workers); // none died on the way
}

void check_killed_while_it_serves(const WorkerProgram& program)
{
    CAPTURE(program.name);
    constexpr unsigned clients = 8;
    FourWorkers usher{program};
    Load load{usher.port(), clients, Load::Mode::get};
    load.wait_for(100);
    ::kill(usher->worker_pid(1), SIGKILL);
    usher->wait_until_ready(workers + 1);

    const auto before = load.served();
    CHECK(eventually([&] { return load.served() >= before + 200; }));
    load.stop();
    CAPTURE(load.first_problem());
    CHECK(load.problems() <= clients); // what it had taken: no client has more than one
    CHECK(usher->count("killed by SIGKILL") == 1);
}

void check_killed_with_a_queue(const WorkerProgram& program)
{
    CAPTURE(program.name);
    constexpr long each = 10;
    FourWorkers usher{program};
    const auto victim = usher->worker_pid(2);
    ::kill(victim, SIGSTOP);
    REQUIRE(eventually([&] { return state_of(victim) == 'T'; }));

    std::vector<HttpClient> clients;
    for (long i = 0; i < each * workers; ++i)
        clients.emplace_back(usher.port()).send_get("/");
    REQUIRE(eventually([&] {
        return std::ranges::count_if(clients, &HttpClient::has_answer) == each * (workers - 1);
    }));
    ::kill(victim, SIGKILL);
    for (auto& client : clients)
        CHECK(client.read_answer().pid() != victim);
    usher->wait_for(": 10 connections it had not taken went to others");
}

void check_reload(const WorkerProgram& program)
{
    CAPTURE(program.name);
    FourWorkers usher{program};
    Load load{usher.port(), 8, Load::Mode::get};
    load.wait_for(50);
    for (int i = 0; i < 3; ++i) {
        const auto result = usher->command({"reload"});
        CAPTURE(result.output);
        CHECK(result.code == 0);
    }
    load.wait_for(50);
    load.stop();
    CAPTURE(load.first_problem());
    CHECK(load.problems() == 0);
    CHECK(usher->stop() == sys::ExitStatus{});
    CHECK(usher->count("exited with code 0") == 4 * workers);
}

void check_drain(const WorkerProgram& program)
{
    CAPTURE(program.name);
    FourWorkers usher{program};
    auto client = usher.half_asked();
    usher->signal(SIGTERM);
    usher->wait_for_count("exited with code 0", workers - 1);
    client.send(second_half);
    CHECK(client.read_answer().ok());
    CHECK(usher->wait() == sys::ExitStatus{});
    CHECK(usher->count("exited with code 0") == workers);
}

void check_master_death(const WorkerProgram& program)
{
    CAPTURE(program.name);
    FourWorkers usher{program};
    std::vector<pid_t> pids;
    for (unsigned slot = 1; slot <= workers; ++slot)
        pids.push_back(usher->worker_pid(slot));
    auto client = usher.half_asked();
    usher->signal(SIGKILL);
    usher->wait();
    REQUIRE(eventually([&] { return std::ranges::count_if(pids, has_ended) == workers - 1; }));
    client.send(second_half);
    CHECK(client.read_answer().ok());
    CHECK(eventually([&] { return std::ranges::all_of(pids, has_ended); }));
}

} // namespace usher::test
