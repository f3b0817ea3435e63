// SPDX-License-Identifier: MIT
// Nothing more can be waited for: fs.epoll.max_user_watches is shared with all of the user's other
// programs, and with the workers.
#include "tests/support/config_file.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/load.hpp"
#include "tests/support/usher_process.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

namespace usher::full_epoll_test {

using namespace usher::test;
using namespace std::chrono_literals;

namespace {

/// A pool under load, whose master's epoll can be filled.
class Scene : public ConfigFile {
public:
    UsherProcess& start()
    {
        usher_.emplace(run(), [this] {
            ::setenv("LD_PRELOAD", std::getenv("USHER_TEST_FULL_EPOLL"), 1);
            ::setenv("FULL_EPOLL", file_.c_str(), 1);
            const char* const options = std::getenv("ASAN_OPTIONS");
            const auto relaxed =
                std::string{options != nullptr ? options : ""} + ":verify_asan_link_order=0";
            ::setenv("ASAN_OPTIONS", relaxed.c_str(), 1);
        });
        usher_->wait_until_ready(2);
        load_.emplace(usher_->port(), 2U, Load::Mode::get);
        load_->wait_for(10);
        return *usher_;
    }

    void fill() { std::ofstream{file_}; }
    void make_room() { std::filesystem::remove(file_); }

    /// Nobody who was served before has noticed, and the end is orderly.
    void check_end()
    {
        load_->wait_for(10);
        load_->stop();
        CHECK(load_->first_problem() == "");
        CHECK(usher_->stop().code == 0);
    }

private:
    std::string file_ = in_folder("full");
    std::optional<UsherProcess> usher_;
    std::optional<Load> load_;
};

} // namespace

TEST_SUITE_BEGIN("full_epoll");

TEST_CASE("a client of the control socket is refused, and the next one served")
{
    Scene scene;
    auto& usher = scene.start();
    scene.fill();
    CHECK(usher.command({"status"}).code != 0);
    usher.wait_for("a client of the control socket cannot be served");
    scene.make_room();
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
    scene.fill();
    ::kill(usher.worker_pid(2), SIGKILL);
    usher.wait_for("cannot be started");
    scene.make_room();
    usher.wait_until_ready(3);
    usher.stop();
}

TEST_CASE("a reload that needs more fails, and the next one is done")
{
    Scene scene;
    auto& usher = scene.start();
    scene.fill();
    usher.signal(SIGHUP); // the control socket is full as well
    usher.wait_for("reload failed");
    scene.pool["listen"] = {"127.0.0.1:0", "127.0.0.2:0"};
    scene.write();
    usher.signal(SIGHUP);
    usher.wait_for_count("reload failed", 2);
    scene.make_room();
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
    scene.fill();
    usher.signal(SIGHUP);
    usher.wait_for("reload failed");
    scene.make_room();
    const auto reload = usher.command({"reload"});
    CHECK_MESSAGE(reload.code == 0, reload.output);
    scene.check_end();
}

TEST_SUITE_END();

} // namespace usher::full_epoll_test
