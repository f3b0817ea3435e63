// SPDX-License-Identifier: MIT
#include "common/sys/process/oom_kills.hpp"

#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>

#include <filesystem>

namespace usher::oom_kills_test {

using namespace usher::sys;
using namespace usher::test;

namespace {

/// Looks like a cgroup, with another in it.
struct Folders : TempDir {
    std::string outer = path() / "outer";
    std::string inner = path() / "outer/inner";

    Folders()
    {
        std::filesystem::create_directories(inner);
        for (const char* const name : {"outer/cgroup.procs", "outer/inner/cgroup.procs"})
            std::ignore = write(name, "");
    }
};

} // namespace

TEST_SUITE_BEGIN("oom_kills");

TEST_CASE("the nearest cgroup counts that counts memory")
{
    const Folders folders;
    std::ignore =
        folders.write("outer/memory.events", "low 1\noom 9\noom_kill 7\noom_group_kill 8\n");
    auto found = count_oom_kills(folders.inner);
    REQUIRE(found);
    CHECK(found->counter == folders.outer + "/memory.events");
    CHECK(found->count == 7);

    std::ignore = folders.write("outer/inner/memory.events", "oom_kill 2\n");
    found = count_oom_kills(folders.inner);
    REQUIRE(found);
    CHECK(found->counter == folders.inner + "/memory.events");
    CHECK(found->count == 2);
    CHECK(read_oom_kills(found->counter) == 2U);
}

TEST_CASE("without one it is the whole machine that counts")
{
    const Folders folders;
    for (const auto& folder : {folders.inner, std::string{}}) {
        const auto found = count_oom_kills(folder);
        REQUIRE(found); // Linux 4.13
        CHECK(found->counter == machine_oom_counter);
    }
}

TEST_CASE("what does not count has no number")
{
    const TempDir folder;
    CHECK_FALSE(read_oom_kills(folder.path() / "missing"));
    CHECK_FALSE(read_oom_kills(folder.write("events", "low 1\nhigh 2\n")));
    CHECK_FALSE(read_oom_kills(folder.write("words", "oom_kill many\n")));
}

TEST_SUITE_END();

} // namespace usher::oom_kills_test
