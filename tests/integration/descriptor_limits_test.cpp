// SPDX-License-Identifier: MIT
#include "tests/support/eventually.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/process_facts.hpp"
#include "tests/support/slack.hpp"
#include "tests/support/usher_process.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <thread>
#include <vector>

#include <sys/resource.h>

namespace usher::descriptor_limits_test {

using namespace usher::test;
using namespace std::chrono_literals;

namespace {

void limit_descriptors_to_256()
{
    constexpr rlimit limit{.rlim_cur = 256, .rlim_max = 256};
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

/// Sets the limit of another process; returns what it was.
rlimit limit_descriptors(pid_t pid, rlim_t count)
{
    rlimit old{};
    rlimit limit{.rlim_cur = count, .rlim_max = RLIM_INFINITY};
    ::prlimit(pid, RLIMIT_NOFILE, nullptr, &old);
    limit.rlim_max = old.rlim_max;
    REQUIRE(::prlimit(pid, RLIMIT_NOFILE, &limit, nullptr) == 0);
    return old;
}

/// The share of one CPU that `pid` uses during the next `span`: here time itself is what is
/// looked at.
double cpu_share(pid_t pid, std::chrono::milliseconds span)
{
    const auto before = cpu_time(pid);
    std::this_thread::sleep_for(span);
    const std::chrono::duration<double> used = cpu_time(pid) - before;
    return used / std::chrono::duration<double>{span};
}

} // namespace

TEST_SUITE_BEGIN("descriptor_limits");

TEST_CASE("with 256 descriptors and 400 open clients nothing spins, and nobody is lost")
{
    UsherProcess usher{run_demo(1), limit_descriptors_to_256};
    usher.wait_until_ready(1);
    const auto port = usher.port();

    std::vector<HttpClient> clients;
    for (int i = 0; i < 400; ++i)
        clients.emplace_back(port).send_get("/", false); // they stay open
    const auto served = [&] { return std::ranges::count_if(clients, &HttpClient::has_answer); };
    REQUIRE(eventually([&] { return served() >= 150; }));

    // The worker is full, its queue is full, the rest waits in the backlog.
    CHECK(cpu_share(usher.pid(), 1500ms) < 0.20);
    CHECK(cpu_share(usher.worker_pid(1), 1500ms) < 0.20);
    CHECK(served() < 256);

    for (int i = 0; i < 200; ++i) {
        CHECK(clients[static_cast<std::size_t>(i)].read_answer().ok());
        clients[static_cast<std::size_t>(i)].close();
    }
    clients.erase(clients.begin(), clients.begin() + 200);
    CHECK(eventually([&] { return served() == 200; }, slack));
    for (auto& client : clients)
        CHECK(client.read_answer().ok());
}

TEST_CASE("a master without a free descriptor pauses, says so once, and resumes by itself")
{
    UsherProcess usher{run_demo(1)};
    usher.wait_until_ready(1);
    const auto port = usher.port();
    REQUIRE(get(port, "/").ok());

    // The kernel gives the lowest free number, so below this limit none is left.
    rlim_t lowest_free = 0;
    for (const auto& [number, target] : descriptors_of(usher.pid()))
        if (static_cast<rlim_t>(number) == lowest_free)
            ++lowest_free;
    const auto old = limit_descriptors(usher.pid(), lowest_free);

    std::vector<HttpClient> clients;
    for (int i = 0; i < 100; ++i)
        clients.emplace_back(port).send_get("/");
    usher.wait_for("cannot accept: Too many open files");
    CHECK(cpu_share(usher.pid(), 1500ms) < 0.20);
    CHECK(std::ranges::none_of(clients, &HttpClient::has_answer));

    limit_descriptors(usher.pid(), old.rlim_cur);
    CHECK(eventually([&] { return std::ranges::all_of(clients, &HttpClient::has_answer); },
                     500ms + slack));
    for (auto& client : clients)
        CHECK(client.read_answer().ok());
    CHECK(usher.count("cannot accept") == 1);
}

TEST_SUITE_END();

} // namespace usher::descriptor_limits_test
