// SPDX-License-Identifier: MIT
#include "tests/support/eventually.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/process_facts.hpp"
#include "tests/support/usher_process.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <vector>

namespace usher::master_death_test {

using namespace usher::test;
using namespace std::chrono_literals;

namespace {

/// True once `pid` has ended: nobody may be left to reap it.
bool has_ended(pid_t pid)
{
    const char state = state_of(pid);
    return state == 0 || state == 'Z';
}

} // namespace

TEST_SUITE_BEGIN("master_death");

TEST_CASE("when the master is killed, workers finish what they have and then exit")
{
    for (const auto& program : {demo_program(), hello_program()}) {
        CAPTURE(program);
        UsherProcess usher{{"run", "--listen", "127.0.0.1:0", "--workers", "2", "--", program}};
        usher.wait_until_ready(2);
        const auto port = usher.port();
        const std::vector workers{usher.worker_pid(1), usher.worker_pid(2)};

        const bool slow = program == demo_program();
        HttpClient busy{port};
        HttpClient kept_alive{port};
        kept_alive.send_get("/", false);
        CHECK(kept_alive.read_answer().ok());
        busy.send_get(slow ? "/slow?ms=700" : "/", false);
        if (!slow)
            CHECK(busy.read_answer().ok());

        usher.signal(SIGKILL);
        usher.wait();

        if (slow)
            CHECK(busy.read_answer().body == "slow\n");
        kept_alive.send_get("/", false); // still served, and told that it is the last
        const auto answer = kept_alive.read_answer();
        CHECK(answer.ok());
        CHECK(answer.header("Connection") == "close");
        busy.close();
        kept_alive.close();
        for (const auto worker : workers)
            CHECK(eventually([&] { return has_ended(worker); }));
    }
}

TEST_CASE("idle workers of a killed master exit at once")
{
    UsherProcess usher{run_demo(4)};
    usher.wait_until_ready(4);
    std::vector<pid_t> workers;
    for (unsigned slot = 1; slot <= 4; ++slot)
        workers.push_back(usher.worker_pid(slot));

    usher.signal(SIGKILL);
    usher.wait();
    for (const auto worker : workers)
        CHECK(eventually([&] { return has_ended(worker); }));
}

TEST_SUITE_END();

} // namespace usher::master_death_test
