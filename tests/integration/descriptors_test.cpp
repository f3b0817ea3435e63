// SPDX-License-Identifier: MIT
#include "tests/support/eventually.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/process_facts.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/support/usher_process.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <csignal>
#include <stop_token>
#include <thread>
#include <vector>

#include <unistd.h>

namespace usher::descriptors_test {

using namespace usher::test;
using namespace std::chrono_literals;

namespace {

/// Checks that the faulty worker, which opens nothing itself, has just what it was given.
void check_given_descriptors(pid_t worker)
{
    const auto open = descriptors_of(worker);
    REQUIRE(open.size() == 7);
    CHECK(open.at(0) == "/dev/null");
    CHECK(open.at(1).starts_with("pipe:"));
    CHECK(open.at(2).starts_with("pipe:"));
    CHECK(open.at(3).starts_with("socket:"));
    CHECK(open.at(4).starts_with("socket:"));
    CHECK(open.at(5).starts_with("/memfd:usher-scoreboard"));
    CHECK(open.at(6).starts_with("socket:")); // the bus
}

} // namespace

TEST_SUITE_BEGIN("descriptors");

TEST_CASE("a worker has 0 to 2, its three, the bus, and what it opened itself")
{
    UsherProcess usher{run_demo(2)};
    usher.wait_until_ready(2);

    for (const unsigned slot : {1U, 2U}) {
        int sockets = 0;
        int event_loop = 0;
        for (const auto& entry : descriptors_of(usher.worker_pid(slot))) {
            const auto& number = entry.first;
            const auto& target = entry.second;
            CAPTURE(target);
            if (number <= 2)
                continue;
            sockets += target.starts_with("socket:") ? 1 : 0;
            event_loop += target.starts_with("anon_inode:") ? 1 : 0;
            CHECK((target.starts_with("socket:") || target.starts_with("anon_inode:")));
        }
        CHECK(sockets == 3);    // with the bus; the scoreboard is mapped, its descriptor closed
        CHECK(event_loop == 5); // epoll, eventfd and timerfd of its own loop; the library's two
    }
}

TEST_CASE("nothing of the master leaks into a worker that is started while connections arrive")
{
    const TempDir folder;
    const nlohmann::json config{
        {"pools",
         {{{"command", {faulty_worker_program(), "never-take", demo_program()}},
           {"dialect", "native"}, // with auto there is one more for each further port
           {"workers", 2},
           {"listen", {"127.0.0.1:0", "unix:" + (folder.path() / "s").string()}},
           {"max_queue", 1},
           {"restart",
            {{"first_delay", "1ms"}, {"longest_delay", "1ms"}, {"give_up_after", 1000}}}}}}};
    UsherProcess usher{{"run", "--config", folder.write("usher.json", config.dump()).string()}};
    usher.wait_until_ready(2);
    const auto port = usher.port();

    std::vector<std::jthread> load;
    for (int i = 0; i < 4; ++i)
        load.emplace_back([&](const std::stop_token& stop) {
            while (!stop.stop_requested())
                try {
                    HttpClient client{port};
                    client.send_get("/");
                    std::ignore = client.sees_end(50ms); // slot 1 never answers
                } catch (const std::exception&) {
                }
        });

    for (std::size_t started = 2; started < 42; ++started) {
        const auto worker = usher.worker_pid(1);
        check_given_descriptors(worker);
        ::kill(worker, SIGKILL);
        usher.wait_until_ready(started + 1);
    }
}

TEST_CASE("a descriptor that the master was started with does not reach the workers")
{
    // Without close-on-exec, as careless parents do it.
    UsherProcess usher{{"run", "--listen", "127.0.0.1:0", "--workers", "1", "--",
                        faulty_worker_program(), "never-take", demo_program()},
                       [] { ::dup2(STDOUT_FILENO, 77); }};
    usher.wait_until_ready(1);
    REQUIRE(descriptors_of(usher.pid()).contains(77));
    check_given_descriptors(usher.worker_pid(1));
}

TEST_SUITE_END();

} // namespace usher::descriptors_test
