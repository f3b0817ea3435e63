// SPDX-License-Identifier: MIT
#include "tests/support/http_client.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/support/usher_process.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <atomic>
#include <string_view>
#include <thread>
#include <vector>

namespace usher::bad_workers_test {

using namespace usher::test;
using namespace std::chrono_literals;

namespace {

struct Case {
    const char* mode;
    const char* reason;
};

/// Slot 1 misbehaves, slots 2 and 3 serve.
UsherProcess run_with(const TempDir& folder, const char* mode)
{
    const nlohmann::json config{
        {"pools",
         {{{"command", {faulty_worker_program(), mode, demo_program()}},
           {"workers", 3},
           {"listen", "127.0.0.1:0"},
           {"start_attempts", 100},
           {"drain_timeout", "300ms"},
           {"restart", {{"first_delay", "50ms"}, {"give_up_after", 3}, {"give_up", "exit"}}}}}}};
    return UsherProcess{{"run", "--config", folder.write("usher.json", config.dump()).string()}};
}

} // namespace

TEST_SUITE_BEGIN("bad_workers");

TEST_CASE("a worker that breaks the protocol is retired with the reason, and nobody else notices")
{
    constexpr Case cases[]{
        {"garbage", "sent a malformed control message: not JSON at byte 1"},
        {"truncated-hello", "sent a malformed control message: not JSON at byte"},
        {"wrong-protocol", "speaks protocol 99, and this master speaks 1"},
        {"hello-twice", "said hello twice"},
        {"ready-first", "said ready before hello"},
        {"batch-of-none", "sent a malformed control message: \"max_batch\" is not"},
        {"too-long", "sent a malformed control message: longer than 4 KiB"},
        {"descriptors", "sent a malformed control message: descriptors do not belong here"},
        {"scribble-head", "overwrote the head of its scoreboard"},
        {"scribble-accepted", "counts more connections on its scoreboard than it was given"},
        {"scribble-closed", "counts more closed than accepted connections on its scoreboard"},
        {"shut-down", "has shut its hand-off socket down"},
        {"shut-down-late", "has shut its hand-off socket down"},
    };
    for (const auto& entry : cases) {
        const auto& mode = entry.mode;
        const auto& reason = entry.reason;
        CAPTURE(mode);
        const TempDir folder;
        auto usher = run_with(folder, mode);
        usher.wait_for_count("worker 2 (pid", 2); // started and ready
        usher.wait_for_count("worker 3 (pid", 2);
        const auto port = usher.port();

        std::atomic<bool> stop{false};
        std::atomic<int> served{0};
        std::atomic<int> failed{0};
        std::vector<std::jthread> load;
        for (int i = 0; i < 3; ++i)
            load.emplace_back([&] {
                while (!stop)
                    try {
                        served += get(port, "/").ok() ? 1 : 0;
                    } catch (const std::exception&) {
                        ++failed;
                    }
            });
        usher.wait_for(std::string{"retired, because it "} + reason);
        usher.wait_for("worker 1: failed 4 times in a row, given up");
        const int before = served;
        while (served < before + 50 && failed == 0)
            std::this_thread::yield();
        stop = true;
        load.clear();

        CHECK(failed == 0);
        CHECK(usher.stop() == usher::sys::ExitStatus{});
    }
}

TEST_CASE("a worker that shuts its hand-off socket down is retired although nobody connects")
{
    const TempDir folder;
    auto usher = run_with(folder, "shut-down");
    usher.wait_for("worker 1: failed 4 times in a row, given up");
    CHECK(usher.count("retired, because it has shut its hand-off socket down") == 4);
    CHECK(usher.stop() == usher::sys::ExitStatus{});
}

TEST_CASE("a message of an unknown type, or a closed control socket, is no fault")
{
    for (const char* const mode : {"unknown-type", "close-control"}) {
        CAPTURE(mode);
        const TempDir folder;
        auto usher = run_with(folder, mode);
        usher.wait_until_ready(3);
        const auto worker = usher.worker_pid(1);

        HttpClient waiting{usher.port()}; // slot 1's, which never takes it
        CHECK(get(usher.port(), "/").slot() == 2);
        CHECK(get(usher.port(), "/").slot() == 3);
        usher.stop();
        CHECK(usher.count("unknown type \"from-the-future\" ignored") ==
              (std::string_view{mode} == "unknown-type" ? 1 : 0));
        CHECK(usher.count("retired") == 0);
        CHECK(usher.count("worker 1 (pid " + std::to_string(worker) + "): killed by SIGTERM") == 1);
    }
}

TEST_SUITE_END();

} // namespace usher::bad_workers_test
