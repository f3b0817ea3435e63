// SPDX-License-Identifier: MIT
#include "tests/support/http_client.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/support/usher_process.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <csignal>
#include <set>
#include <vector>

#include <sys/resource.h>

namespace usher::round_robin_test {

using namespace usher::test;

namespace {

/// Lets this process, or a child, open as many descriptors as it may.
void raise_descriptor_limit()
{
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

} // namespace

TEST_SUITE_BEGIN("round_robin");

TEST_CASE("4,000 connections in a row go to 1, 2, 3, 4, 1, 2, ... without one exception")
{
    UsherProcess usher{run_demo(4)};
    usher.wait_until_ready(4);
    const auto port = usher.port();

    int expected = get(port, "/").slot();
    int exceptions = 0;
    for (int i = 0; i < 4'000; ++i) {
        expected = expected % 4 + 1;
        exceptions += get(port, "/").slot() != expected ? 1 : 0;
    }
    CHECK(exceptions == 0);
    CHECK(usher.stop() == usher::sys::ExitStatus{});
}

TEST_CASE("10,000 connections open at once are spread so that the counts differ by at most 1")
{
    constexpr int connections = 10'000;
    raise_descriptor_limit();

    // A queue that cannot fill, and keeps what it has: other rules than the one looked at here.
    const TempDir folder;
    const auto config = folder.write("usher.json", nlohmann::json{{"pools",
                                                                   {{{"name", "demo"},
                                                                     {"command", {demo_program()}},
                                                                     {"workers", 4},
                                                                     {"max_queue", connections},
                                                                     {"move_after", "0s"},
                                                                     {"listen", "127.0.0.1:0"}}}}}
                                                       .dump());
    UsherProcess usher{{"run", "--config", config.string()}, raise_descriptor_limit};
    usher.wait_until_ready(4);
    const auto port = usher.port();

    std::vector<HttpClient> clients;
    clients.reserve(connections);
    for (int i = 0; i < connections; ++i)
        clients.emplace_back(port).send_get("/whoami", false);

    std::array<int, 5> count{};
    std::set<std::uint64_t> ids;
    for (auto& client : clients) {
        const auto answer = nlohmann::json::parse(client.read_answer().body);
        ++count.at(answer.at("slot").get<std::size_t>());
        ids.insert(answer.at("connection").get<std::uint64_t>());
    }
    const auto [least, most] = std::minmax_element(count.begin() + 1, count.end());
    CHECK(*most - *least <= 1);
    CHECK(ids.size() == connections);
}

TEST_CASE("a worker whose queue is full is passed over, and nobody waits for it")
{
    UsherProcess usher{run_demo(2)};
    usher.wait_until_ready(2);
    const auto port = usher.port();
    const auto stopped = usher.worker_pid(1);
    ::kill(stopped, SIGSTOP);

    // 64 of these fill worker 1's queue; from then on worker 2 gets every connection.
    std::vector<HttpClient> clients;
    for (int i = 0; i < 300; ++i)
        clients.emplace_back(port).send_get("/");
    for (int i = 0; i < 50; ++i)
        CHECK(get(port, "/").slot() == 2);

    ::kill(stopped, SIGCONT);
    std::array<int, 3> count{};
    for (auto& client : clients)
        ++count.at(static_cast<std::size_t>(client.read_answer().slot()));
    CHECK(count[1] >= 64);
    CHECK(count[1] + count[2] == 300);
}

TEST_CASE("with every queue full the backlog holds the clients, and all are served afterwards")
{
    UsherProcess usher{run_demo(2)};
    usher.wait_until_ready(2);
    const auto port = usher.port();
    for (const unsigned slot : {1U, 2U})
        ::kill(usher.worker_pid(slot), SIGSTOP);

    std::vector<HttpClient> clients;
    for (int i = 0; i < 400; ++i)
        clients.emplace_back(port).send_get("/");

    for (const unsigned slot : {1U, 2U})
        ::kill(usher.worker_pid(slot), SIGCONT);
    for (auto& client : clients)
        CHECK(client.read_answer().ok());
}

TEST_SUITE_END();

} // namespace usher::round_robin_test
