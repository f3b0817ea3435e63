// SPDX-License-Identifier: MIT
#include "balancer/worker/worker_cgroup.hpp"

#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <set>

#include <sys/wait.h>
#include <unistd.h>

namespace usher::worker_cgroup_test {

using namespace usher::test;

namespace {

namespace fs = std::filesystem;

/// The number of a process that is no more.
pid_t dead_pid()
{
    const pid_t pid = ::fork();
    if (pid == 0)
        ::_exit(0);
    REQUIRE(::waitpid(pid, nullptr, 0) == pid);
    return pid;
}

std::set<std::string> names_in(const fs::path& folder)
{
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator{folder})
        names.insert(entry.path().filename());
    return names;
}

const WorkerIdentity identity{.pool = "api", .slot = 2, .id = 7, .generation = 1, .label = ""};

} // namespace

TEST_SUITE_BEGIN("worker_cgroup");

TEST_CASE("what a dead master left is removed, what is a living one's or nobody's stays")
{
    const TempDir folder;
    const auto of = [](pid_t master) { return "usher-" + std::to_string(master) + "-api-1-1"; };
    const auto dead = of(dead_pid());
    const auto ours = of(::getpid()); // of one that had our number before
    const auto living = of(::getppid());
    for (const auto& name : {dead, ours, living, std::string{"usher-"}, std::string{"usher-x-1"},
                             std::string{"usher-1"}, std::string{"other-1-a"}})
        fs::create_directory(folder.path() / name);

    remove_leftover_cgroups(folder.path());
    CHECK(names_in(folder.path()) ==
          std::set<std::string>{living, "usher-", "usher-x-1", "usher-1", "other-1-a"});
    remove_leftover_cgroups(folder.path() / "none");
    remove_leftover_cgroups("");
}

TEST_CASE("on names what is in the way, auto goes without")
{
    const TempDir folder; // no cgroup file system: what is made there has no cgroup.procs
    std::string trouble;
    CHECK(make_worker_cgroup(CgroupMode::off, folder.path(), identity, trouble) == nullptr);
    if (::geteuid() == 0)
        CHECK(make_worker_cgroup(CgroupMode::automatic, folder.path(), identity, trouble) ==
              nullptr);
    CHECK(trouble.empty());

    const auto name = fs::path{"usher-" + std::to_string(::getpid()) + "-api-2-7"};
    const auto error =
        "no cgroup can be made for it: " + (folder.path() / name / "cgroup.procs").string() +
        ": No such file or directory; have systemd delegate one (Delegate=yes), or "
        "set \"cgroup\" to \"auto\"";
    CHECK_THROWS_WITH_AS(
        static_cast<void>(make_worker_cgroup(CgroupMode::on, folder.path(), identity, trouble)),
        error.c_str(), std::runtime_error);
    CHECK(names_in(folder.path()).empty()); // nothing is left of the attempt
    CHECK_THROWS_WITH_AS(
        static_cast<void>(make_worker_cgroup(CgroupMode::on, "", identity, trouble)),
        "no cgroup can be made for it: no cgroup file system (version 2) is mounted; have systemd "
        "delegate one (Delegate=yes), or set \"cgroup\" to \"auto\"",
        std::runtime_error);
}

TEST_SUITE_END();

} // namespace usher::worker_cgroup_test
