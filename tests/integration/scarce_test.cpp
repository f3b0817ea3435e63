// SPDX-License-Identifier: MIT
// The kernel has no more to give: nothing more can be watched (fs.epoll.max_user_watches is shared
// with the workers and all else of the user's), or there are no threads.
#include "tests/support/chatter.hpp"
#include "tests/support/config_file.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/from_environment.hpp"
#include "tests/support/line_check.hpp"
#include "tests/support/load.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/support/touch.hpp"
#include "tests/support/usher_process.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <thread>
#include <tuple>

namespace usher::scarce_test {

using namespace usher::test;
using namespace std::chrono_literals;

namespace {

/// A pool under load, and calls of its master that can be made to fail.
class Scene : public ConfigFile {
public:
    UsherProcess& run_only()
    {
        usher_.emplace(run(), [this] {
            ::setenv("LD_PRELOAD", from_environment("USHER_TEST_SCARCE_CALLS").c_str(), 1);
            ::setenv("SCARCE_CALLS", calls_.path().c_str(), 1);
            const char* const options = std::getenv("ASAN_OPTIONS");
            const auto relaxed =
                std::string{options != nullptr ? options : ""} + ":verify_asan_link_order=0";
            ::setenv("ASAN_OPTIONS", relaxed.c_str(), 1);
        });
        return *usher_;
    }

    UsherProcess& start(std::size_t workers = 2)
    {
        run_only();
        usher_->wait_until_ready(workers);
        load_.emplace(usher_->port(), 2U, Load::Mode::get);
        load_->wait_for(10);
        return *usher_;
    }

    /// A worker of the pool "web".
    [[nodiscard]] pid_t pid_in_web() const
    {
        const auto status = nlohmann::json::parse(usher_->command({"status", "--json"}).output);
        return status.at("pools").at(0).at("workers").at(0).at("pid");
    }

    void refuse(const std::string& call) { touch(calls_.path() / call); }
    void allow(const std::string& call) { std::filesystem::remove(calls_.path() / call); }

    /// Nobody who was served before has noticed, and the end is orderly.
    void check_end()
    {
        load_->wait_for(10);
        load_->stop();
        CHECK(load_->first_problem() == "");
        CHECK(usher_->stop().code == 0);
    }

private:
    TempDir calls_;
    std::optional<UsherProcess> usher_;
    std::optional<Load> load_;
};

} // namespace

TEST_SUITE_BEGIN("scarce");

TEST_CASE("a client of the control socket is refused, and the next one served")
{
    Scene scene;
    auto& usher = scene.start();
    scene.refuse("epoll_ctl");
    CHECK(usher.command({"status"}).code != 0);
    usher.wait_for("a client of the control socket cannot be served");
    scene.allow("epoll_ctl");
    CHECK(usher.command({"status"}).code == 0);
    scene.check_end();
}

TEST_CASE("a worker that cannot be watched is no worker, and its slot tries again")
{
    Scene scene;
    scene.pool["restart"] = {
        {"first_delay", "50ms"}, {"longest_delay", "50ms"}, {"give_up_after", 1000}};
    scene.write();
    auto& usher = scene.start();
    scene.refuse("epoll_ctl");
    ::kill(usher.worker_pid(2), SIGKILL);
    usher.wait_for("cannot be started");
    scene.allow("epoll_ctl");
    usher.wait_until_ready(3);
    usher.stop();
}

TEST_CASE("a reload that needs more fails, and the next one is done")
{
    Scene scene;
    auto& usher = scene.start();
    scene.refuse("epoll_ctl");
    usher.signal(SIGHUP); // the control socket is full as well
    usher.wait_for("reload failed");
    scene.pool["listen"] = {"127.0.0.1:0", "127.0.0.2:0"};
    scene.write();
    usher.signal(SIGHUP);
    usher.wait_for_count("reload failed", 2);
    scene.allow("epoll_ctl");
    const auto reload = usher.command({"reload"});
    CHECK_MESSAGE(reload.code == 0, reload.output);
    usher.wait_for("listening on 127.0.0.2");
    scene.check_end();
}

TEST_CASE("a probe that cannot be made is made later")
{
    Scene scene;
    auto& usher = scene.start();
    scene.pool["probe"] = {{"path", "/"}};
    scene.pool["env"] = {{"A", "b"}};
    scene.write();
    scene.refuse("epoll_ctl");
    usher.signal(SIGHUP);
    usher.wait_for("reload failed");
    scene.allow("epoll_ctl");
    const auto reload = usher.command({"reload"});
    CHECK_MESSAGE(reload.code == 0, reload.output);
    scene.check_end();
}

TEST_CASE("without threads what needs one fails or waits, and is done when there are some")
{
    Scene scene;
    scene.pool["restart"] = {
        {"first_delay", "50ms"}, {"longest_delay", "50ms"}, {"give_up_after", 1000}};
    scene.pool["max_memory"] = "1GiB"; // so it is looked at
    scene.more_pools.push_back(
        {{"name", "fds"},
         {"command", {python_program(), source_folder() + "/tests/listen_fds/server.py"}},
         {"dialect", "listen-fds"},
         {"drain_timeout", "1s"}, // nobody can see when it is idle
         {"workers", 1},
         {"listen", "127.0.0.1:0"}});
    scene.pool["name"] = "web";
    scene.write();
    auto& usher = scene.start(3);
    scene.refuse("pthread_create");

    CHECK(usher.command({"status"}).code == 0);
    const auto refused = usher.command({"reload"});
    CHECK(refused.code == 1); // the configuration is not at fault
    CHECK(refused.output.find("no thread can be started, so raise the limit of processes") !=
          std::string::npos);
    CHECK(refused.output.find("or that of memory") != std::string::npos);
    CHECK(usher.command({"drain", "1", "--pool", "fds"}).code == 0);
    REQUIRE(::kill(scene.pid_in_web(), SIGKILL) == 0);
    usher.wait_for("cannot be started"); // the log has a thread already

    scene.allow("pthread_create");
    usher.wait_until_ready(4);
    const auto reload = usher.command({"reload"});
    CHECK_MESSAGE(reload.code == 0, reload.output);
    CHECK(usher.stop().code == 0);
}

TEST_CASE("without further threads workers that write much are served on, and each line arrives")
{
    const Chatter to_file;
    const Chatter to_errors;
    Scene scene;
    const auto add = [&](const std::string& name, const Chatter& chatter,
                         const nlohmann::json& output) {
        auto pool = chatter.pool(1, 500, output, 200'000);
        pool["name"] = name;
        pool["listen"] = "127.0.0.1:0";
        scene.more_pools.push_back(pool);
    };
    scene.pool["name"] = "web";
    add("file", to_file, {{"file", to_file.log()}});
    add("errors", to_errors, "stderr");
    scene.write();
    auto& usher = scene.start(4);
    REQUIRE(eventually([&] { return std::filesystem::exists(to_file.log()); }));
    scene.refuse("pthread_create");

    CHECK(eventually(
        [&] {
            std::ignore = usher.log(); // somebody reads it
            return to_file.total() == 200'000 && to_errors.total() == 200'000;
        },
        60s));
    usher.signal(SIGUSR1);
    usher.wait_for("SIGUSR1: opening");
    scene.check_end();

    LineCheck in_file;
    in_file.see_file(to_file.log());
    in_file.check_all(to_file);
    LineCheck in_log;
    in_log.see_those_with("[errors/1] ", usher.log());
    in_log.check_all(to_errors);
    CHECK(usher.count("hangs") == 0);
}

TEST_CASE("without threads from the beginning usher says why it ends")
{
    Scene scene;
    scene.refuse("pthread_create");
    auto& usher = scene.run_only();
    CHECK(usher.wait().code != 0);
    CHECK(usher.log().find("no thread can be started, so raise the limit of processes") !=
          std::string::npos);
}

TEST_CASE("a log file that no thread can open fails its start, and usher ends")
{
    Scene scene;
    scene.pool["output"] = {{"file", scene.in_folder("web.log")}};
    scene.pool["start_attempts"] = 1;
    scene.write();
    scene.refuse("pthread_create");
    CHECK(scene.run_only().wait() == sys::ExitStatus{.code = 1});
}

TEST_CASE("an error that nobody has caught ends usher in order, and it says why")
{
    Scene scene;
    scene.pool["restart"] = {
        {"first_delay", "10ms"}, {"longest_delay", "10ms"}, {"give_up_after", 1000}};
    scene.write();
    auto& usher = scene.start();
    const auto other = usher.worker_pid(2);
    CHECK(eventually([&] { // some that fail are looked after
        scene.refuse("new");
        ::kill(usher.worker_pid(1), SIGKILL);
        std::this_thread::sleep_for(100ms);
        return usher.log().find("cannot go on") != std::string::npos;
    }));
    CHECK(usher.wait() == sys::ExitStatus{.code = 1});
    CHECK(usher.count("cannot go on: std::bad_alloc") == 1);
    CHECK(usher.count("stopped after an error") == 1);
    CHECK(::kill(other, 0) < 0);
}

TEST_SUITE_END();

} // namespace usher::scarce_test
