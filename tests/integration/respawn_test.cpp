// SPDX-License-Identifier: MIT
#include "tests/support/build.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/process_facts.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/support/usher_process.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <csignal>
#include <regex>
#include <vector>

#include <sys/ptrace.h>
#include <sys/wait.h>

namespace usher::respawn_test {

using namespace usher::test;
using namespace std::chrono_literals;

namespace {

/// One slot that exits at once, until it is given up, and one that serves: `restart` is the
/// configuration's.
std::string config(const TempDir& folder, nlohmann::json restart)
{
    restart["give_up"] = "exit";
    return folder
        .write("usher.json",
               nlohmann::json{{"pools",
                               {{{"command", {faulty_worker_program(), "exit", demo_program()}},
                                 {"workers", 2},
                                 {"listen", "127.0.0.1:0"},
                                 {"start_attempts", 10'000},
                                 {"restart", restart}}}}}
                   .dump())
        .string();
}

std::vector<int> logged_delays(UsherProcess& usher)
{
    const auto text = usher.log();
    const std::regex pattern{R"(worker 1: next start in (\d+) ms)"};
    std::vector<int> delays;
    for (std::sregex_iterator match{text.begin(), text.end(), pattern}, end; match != end; ++match)
        delays.push_back(std::stoi((*match)[1]));
    return delays;
}

} // namespace

TEST_SUITE_BEGIN("respawn");

TEST_CASE("after many respawns descriptors and memory are where they were, and little CPU is used")
{
    constexpr unsigned warm_up = 50;
    constexpr unsigned respawns = with_sanitizers ? 100 : 1'000;
    const TempDir folder;
    UsherProcess usher{{"run", "--config",
                        config(folder, {{"first_delay", "10ms"},
                                        {"longest_delay", "10ms"},
                                        {"give_up_after", warm_up + respawns}})}};
    usher.wait_until_ready(1);
    // The first ones fill the allocator's and the libraries' caches.
    usher.wait_for_count("worker 1: next start in", warm_up);
    const auto descriptors = descriptors_of(usher.pid()).size();
    const auto memory = resident_bytes(usher.pid());
    const auto cpu = cpu_time(usher.pid());

    usher.wait_for_count("worker 1: next start in", warm_up + respawns, 280s);
    const auto used = cpu_time(usher.pid()) - cpu;

    // A worker that is being started has some more, before and now.
    CHECK(eventually([&] { return descriptors_of(usher.pid()).size() <= descriptors + 2; }));
    const auto memory_after = resident_bytes(usher.pid());
    MESSAGE("memory: " << memory << " before, " << memory_after
                       << " after; CPU for each: " << used.count() / respawns << " ns");
    if (!with_sanitizers) { // which make fork() dear
        CHECK(memory_after <= memory + (1 << 20));
        CHECK(used < respawns * 4ms); // it does not spin; 1.7 ms are usual
    }

    usher.wait_for("worker 1: failed " + std::to_string(warm_up + respawns + 1) +
                   " times in a row, given up");
    CHECK(get(usher.port(), "/").slot() == 2);
    CHECK(usher.stop() == usher::sys::ExitStatus{});
}

TEST_CASE("delays double up to the longest, and the slot fails after the limit")
{
    const TempDir folder;
    UsherProcess usher{
        {"run", "--config",
         config(folder,
                {{"first_delay", "20ms"}, {"longest_delay", "160ms"}, {"give_up_after", 6}})}};
    usher.wait_for("worker 1: failed 7 times in a row, given up");

    const auto delays = logged_delays(usher);
    const std::vector<double> nominal{20, 40, 80, 160, 160, 160};
    REQUIRE(delays.size() == nominal.size());
    for (std::size_t i = 0; i < delays.size(); ++i) {
        CHECK(delays[i] >= nominal[i] * 0.75 - 1);
        CHECK(delays[i] <= nominal[i] * 1.25 + 1);
    }
    CHECK(get(usher.port(), "/").slot() == 2);
}

TEST_CASE("a worker that dies is replaced in its slot, and its exit is logged")
{
    UsherProcess usher{run_demo(2)};
    usher.wait_until_ready(2);
    const auto port = usher.port();
    const auto first = usher.worker_pid(1);

    CHECK_THROWS(std::ignore = get(port, "/exit?code=9"));
    usher.wait_for("worker 1 (pid " + std::to_string(first) + "): exited with code 9 after");
    usher.wait_until_ready(3);
    CHECK(usher.worker_pid(1) != first);

    CHECK_THROWS(std::ignore = [&] {
        for (;;) // until it is slot 1's turn
            if (get(port, "/").slot() == 2)
                return get(port, "/abort");
    }());
    usher.wait_for("killed by SIGABRT after");
    usher.wait_until_ready(4);
    CHECK(get(port, "/").slot() + get(port, "/").slot() == 3);
}

TEST_CASE("a worker that dies while somebody traces it is replaced once the tracer lets go")
{
    UsherProcess usher{run_demo(2)};
    usher.wait_until_ready(2);
    const auto traced = usher.worker_pid(1);
    if (::ptrace(PTRACE_SEIZE, traced, nullptr, nullptr) < 0) {
        MESSAGE("not run: this system does not allow to trace");
        return;
    }
    ::kill(traced, SIGKILL);
    siginfo_t info{}; // a tracer sees the end first, and so far it sees it alone
    REQUIRE(::waitid(P_PID, static_cast<id_t>(traced), &info, WEXITED | WNOWAIT) == 0);
    CHECK(usher.command({"status"}).code == 0); // the master has had its turn meanwhile
    CHECK(usher.count("killed by SIGKILL") == 0);

    REQUIRE(::waitid(P_PID, static_cast<id_t>(traced), &info, WEXITED) == 0);
    usher.wait_for("worker 1 (pid " + std::to_string(traced) + "): killed by SIGKILL after");
    usher.wait_until_ready(3);
    CHECK(usher.stop() == usher::sys::ExitStatus{});
}

TEST_CASE("a worker that no signal ends holds up neither its place nor the end of usher")
{
    UsherProcess usher{run_demo(1, {})};
    usher.wait_until_ready(1);
    const auto traced = usher.worker_pid(1);
    if (::ptrace(PTRACE_SEIZE, traced, nullptr, nullptr) < 0) {
        MESSAGE("not run: this system does not allow to trace");
        return;
    }
    // Whoever traces it and does not look makes it one that does not end.
    usher.signal(SIGTERM);
    usher.wait_for("draining the workers");
    usher.signal(SIGTERM);
    CHECK(usher.wait(60s) == sys::ExitStatus{});
    CHECK(usher.count("hangs where SIGKILL does not reach it") == 1);
    siginfo_t info{};
    ::waitid(P_PID, static_cast<id_t>(traced), &info, WEXITED);
}

TEST_SUITE_END();

} // namespace usher::respawn_test
