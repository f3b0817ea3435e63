// SPDX-License-Identifier: MIT
// Workers that end because their work is done, or because they are not to be followed; and those
// that the kernel ends.
#include "tests/support/config_file.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/process_facts.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <tuple>

#include <unistd.h>

namespace usher::meant_end_test {

using namespace usher::test;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

const auto success = usher::sys::ExitStatus{};
const usher::sys::ExitStatus failure{.by_signal = false, .code = 1};

json job(const std::string& script, const std::string& on, unsigned workers = 1)
{
    return {{"command", {"/bin/sh", "-c", script}},
            {"dialect", "none"},
            {"workers", workers},
            {"start_delay", "50ms"},
            {"restart", {{"on", on}, {"first_delay", "10ms"}}}};
}

struct Site : ConfigFile {
    explicit Site(const json& only)
    {
        pool = only;
        write();
    }
};

} // namespace

TEST_SUITE_BEGIN("meant_end");

TEST_CASE(
    "with restart.on \"failure\" an exit with 0 is meant, and usher ends with 0 after the last")
{
    const Site site{job("echo works; sleep 0.2; exit 0", "failure", 3)};
    UsherProcess usher{site.run()};
    CHECK(usher.wait() == success);
    CHECK(usher.count("] works") == 3);
    CHECK(usher.count("exited with code 0") == 3);
    CHECK(usher.count("warning:") == 0);
    CHECK(usher.count("has done its work, and none is started in its place") == 3);
    CHECK(usher.count("every worker has done its work, stopped") == 1);
}

TEST_CASE("so it is where they are through before they count as ready")
{
    const Site site{job("exit 0", "failure", 2)};
    UsherProcess usher{site.run()};
    CHECK(usher.wait() == success);
    CHECK(usher.count("): started") == 2);
}

TEST_CASE("a failure is followed by another, until that succeeds")
{
    const TempDir folder;
    const auto script = "echo x >> " + (folder.path() / "tries").string() +
                        "; sleep 0.1; test 3 = $(wc -l < " + (folder.path() / "tries").string() +
                        ")";
    const Site site{job(script, "failure")};
    UsherProcess usher{site.run()};
    CHECK(usher.wait() == success);
    CHECK(usher.count("exited with code 1") == 2);
    CHECK(usher.count("exited with code 0") == 1);
}

TEST_CASE("a worker that usher had to end has not done its work, although its exit code is 0")
{
    auto only = job("trap 'exit 0' TERM; while :; do sleep 0.02; done", "failure");
    only.erase("start_delay");
    only["ready"] = "notify";
    only["start_timeout"] = "200ms";
    const Site site{only};
    UsherProcess usher{site.run()};
    usher.wait_for_count("not ready after 200ms", 2);
    CHECK(usher.count("exited with code 0") >= 1);
    CHECK(usher.count("has done its work") == 0);
}

TEST_CASE("with \"never\" nothing follows, and a failure is usher's, too")
{
    const Site site{job("sleep 0.2; test $USHER_SLOT = 2", "never", 2)};
    UsherProcess usher{site.run()};
    CHECK(usher.wait() == failure);
    CHECK(usher.count("): started") == 2);
    CHECK(usher.count("worker 1: none is started in its place, as restart.on has it; last: the "
                      "worker exited with code 1") == 1);
    CHECK(usher.count("worker 2 (pid ") >= 2);
    CHECK(usher.count("no worker of pool \"default\" is left, and not all have done their work") ==
          1);
}

TEST_CASE("a pool that is through disturbs no other, is shown as stopped, and a reload begins anew")
{
    ConfigFile config;
    config.more_pools = json::array({job("sleep 0.1", "failure")});
    config.more_pools[0]["name"] = "jobs";
    config.write();
    UsherProcess usher{config.run()};
    usher.wait_for("worker jobs/1: has done its work");
    usher.wait_until_ready(2);
    const auto status = json::parse(usher.command({"status", "--json"}).output);
    const auto& pools = status.at("pools");
    CHECK(pools.at(0).at("state") == "serving");
    CHECK(pools.at(1).at("workers").at(0).at("state") == "stopped");
    config.pool["env"] = {{"A", "1"}};
    config.write();
    std::ignore = usher.command({"reload"});
    usher.wait_for_count("worker jobs/1: has done its work", 2);
    CHECK(usher.stop() == success);
}

TEST_CASE("as ever, without it an exit with 0 is followed")
{
    const Site site{job("echo works; sleep 0.1", "always")};
    UsherProcess usher{site.run()};
    usher.wait_for_count("] works", 3);
    CHECK(usher.stop() == success);
}

TEST_CASE("a worker that the kernel kills for want of memory is not taken for one that people kill")
{
    // Version 1, where a group of one's own can be had without asking anybody for controllers.
    const fs::path memory{"/sys/fs/cgroup/memory"};
    const auto group = memory / ("usher-test-" + std::to_string(::getpid()));
    std::error_code error;
    if (::geteuid() != 0 || !fs::exists(memory / "memory.limit_in_bytes") ||
        !fs::create_directory(group, error)) {
        MESSAGE("skipped: needs root, and cgroups of version 1 that count memory");
        return;
    }
    std::ofstream{group / "memory.limit_in_bytes"} << 20 * 1024 * 1024;
    const TempDir folder;
    const auto go = (folder.path() / "go").string();
    const Site site{job("while ! test -e " + go + "; do sleep 0.05; done; rm " + go +
                            "; echo 0 > " + (group / "cgroup.procs").string() + "; exec " +
                            python_program() + " -c 'x = bytearray(100 << 20)'",
                        "always")};
    {
        UsherProcess usher{site.run()};
        usher.wait_for("ready after");
        ::kill(usher.worker_pid(1), SIGKILL);
        usher.wait_for("killed by SIGKILL after ");
        CHECK(usher.count("memory") == 0);
        usher.wait_for_count("ready after", 2);
        std::ofstream{go}.close();
        usher.wait_for("killed by SIGKILL, ");
        CHECK(usher.count("out of memory") == 1);
        CHECK(usher.stop() == success);
    }
    CHECK(eventually([&] { return fs::remove(group, error); }));
}

TEST_SUITE_END();

} // namespace usher::meant_end_test
