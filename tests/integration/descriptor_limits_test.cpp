// SPDX-License-Identifier: MIT
#include "tests/support/eventually.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/process_facts.hpp"
#include "tests/support/slack.hpp"
#include "tests/support/usher_process.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <fstream>
#include <thread>
#include <vector>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace usher::descriptor_limits_test {

using namespace usher::test;
using namespace std::chrono_literals;

namespace {

void limit_descriptors_to_256()
{
    constexpr rlimit limit{.rlim_cur = 256, .rlim_max = 256};
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

/// As some sandboxes do, for this process and all that it starts.
void refuse(unsigned call)
{
    std::array filter{
        sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
        sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const sock_fprog program{.len = filter.size(), .filter = filter.data()};
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
        ::_exit(126);
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

TEST_CASE("with the largest limit there is, and close_range refused, all goes as ever")
{
    UsherProcess usher{run_demo(2), [] {
                           rlimit limit{};
                           std::ifstream{"/proc/sys/fs/nr_open"} >> limit.rlim_max;
                           limit.rlim_cur = limit.rlim_max;
                           ::setrlimit(RLIMIT_NOFILE, &limit);
                           refuse(SYS_close_range);
                       }};
    usher.wait_until_ready(2);
    CHECK(get(usher.port(), "/").ok());
    CHECK(usher.command({"reload"}).code == 0);
    CHECK(get(usher.port(), "/").ok());
    CHECK(usher.stop() == sys::ExitStatus{});
}

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
