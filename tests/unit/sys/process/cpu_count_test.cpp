// SPDX-License-Identifier: MIT
#include "common/sys/process/cpus.hpp"

#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <string_view>

#include <sched.h>

namespace usher::cpu_count_test {

using namespace usher::sys;
using namespace usher::test;

namespace {

/// A cgroup tree with the one group `a/b/c`.
struct Tree {
    TempDir root;

    Tree() { std::filesystem::create_directories(root.path() / "a/b/c"); }

    void set(const std::filesystem::path& group, std::string_view text) const
    {
        std::ofstream{root.path() / group / "cpu.max"} << text;
    }

    /// As version 1 has it.
    void set_old(const std::filesystem::path& group, std::string_view quota,
                 std::string_view period = "100000\n") const
    {
        std::ofstream{root.path() / group / "cpu.cfs_quota_us"} << quota;
        std::ofstream{root.path() / group / "cpu.cfs_period_us"} << period;
    }

    unsigned cpus(const std::filesystem::path& group = "a/b/c") const
    {
        return cgroup_cpus(root.path() / group);
    }
};

/// The affinity mask of this thread for one scope.
class ScopedAffinity {
public:
    explicit ScopedAffinity(const cpu_set_t& set)
    {
        REQUIRE(::sched_getaffinity(0, sizeof saved_, &saved_) == 0);
        REQUIRE(::sched_setaffinity(0, sizeof set, &set) == 0);
    }
    ScopedAffinity(const ScopedAffinity&) = delete;
    ScopedAffinity& operator=(const ScopedAffinity&) = delete;
    ~ScopedAffinity() { ::sched_setaffinity(0, sizeof saved_, &saved_); }

private:
    cpu_set_t saved_{};
};

} // namespace

TEST_SUITE_BEGIN("cpu_count");

TEST_CASE_FIXTURE(Tree, "without a cpu.max there is no quota")
{
    CHECK(cpus() == 0);
    CHECK(cgroup_cpus("/nowhere/a/b") == 0);
}

TEST_CASE_FIXTURE(Tree, "a quota is rounded up to whole CPUs")
{
    set("a/b/c", "200000 100000\n");
    CHECK(cpus() == 2);
    set("a/b/c", "200001 100000\n");
    CHECK(cpus() == 3);
    set("a/b/c", "50000 100000\n");
    CHECK(cpus() == 1);
}

TEST_CASE_FIXTURE(Tree, "an ancestor's lower quota counts, up to the root")
{
    set("a/b/c", "800000 100000\n");
    set("a", "300000 100000\n");
    CHECK(cpus() == 3);
    set("", "100000 100000\n");
    CHECK(cpus() == 1);
}

TEST_CASE_FIXTURE(Tree, "an ancestor's higher quota does not count, nor a sibling's")
{
    std::filesystem::create_directories(root.path() / "a/x");
    set("a/b/c", "200000 100000\n");
    set("a", "400000 100000\n");
    set("a/x", "100000 100000\n");
    CHECK(cpus() == 2);
}

TEST_CASE_FIXTURE(Tree, "the root group has the root's quota")
{
    set("", "200000 100000\n");
    CHECK(cpus("") == 2);
}

TEST_CASE_FIXTURE(Tree, "\"max\" is no quota")
{
    set("a/b/c", "max 100000\n");
    CHECK(cpus() == 0);
    set("a/b", "400000 100000\n");
    CHECK(cpus() == 4);
}

TEST_CASE_FIXTURE(Tree, "a file that makes no sense is no quota")
{
    for (const auto* const text : {"", "\n", "200000", "many 100000", "200000 often", "200000 0",
                                   "99999999999999999999 100000"}) {
        set("a/b/c", text);
        CHECK_MESSAGE(cpus() == 0, text);
    }
}

TEST_CASE_FIXTURE(Tree, "version 1 has quota and period in files of their own, and -1 for none")
{
    set_old("a/b/c", "-1\n");
    CHECK(cpus() == 0);
    set_old("a/b/c", "150000\n");
    CHECK(cpus() == 2);
    set_old("a/b/c", "50000\n", "20000\n");
    CHECK(cpus() == 3);
    set_old("a", "100000\n");
    CHECK(cpus() == 1); // an ancestor's
    set_old("a", "-1\n");
    for (const auto* const text : {"", "\n", "many\n", "0\n", "-5\n"}) {
        set_old("a/b/c", text);
        CHECK_MESSAGE(cpus() == 0, text);
        set_old("a/b/c", "100000\n", text);
        CHECK_MESSAGE(cpus() == 0, text);
    }
    set_old("a/b/c", "9223372036854775807\n", "9223372036854775807\n");
    CHECK(cpus() == 1);
}

TEST_CASE("the affinity mask limits the usable CPUs")
{
    cpu_set_t all;
    REQUIRE(::sched_getaffinity(0, sizeof all, &all) == 0);
    CHECK(usable_cpus() >= 1);
    CHECK(usable_cpus() <= static_cast<unsigned>(CPU_COUNT(&all)));

    int first = 0;
    while (!CPU_ISSET(first, &all))
        ++first;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    const ScopedAffinity pinned{one};
    CHECK(usable_cpus() == 1);
}

TEST_SUITE_END();

} // namespace usher::cpu_count_test
