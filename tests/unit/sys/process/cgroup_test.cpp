// SPDX-License-Identifier: MIT
#include "common/sys/process/cgroup.hpp"

#include "common/sys/process/pidfd.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/no_fd_leak.hpp"
#include "tests/support/sockets.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/support/test_cgroup.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <filesystem>

#include <sys/wait.h>
#include <unistd.h>

namespace usher::cgroup_test {

using namespace usher::sys;
using namespace usher::test;

namespace {

namespace fs = std::filesystem;

/// A child that has entered `cgroup` and waits to be killed.
class Inhabitant {
public:
    explicit Inhabitant(const Cgroup& cgroup) : pid_{::fork()}
    {
        if (pid_ == 0) {
            if (!cgroup.enter())
                ::_exit(1);
            for (;;)
                ::pause();
        }
        REQUIRE(
            eventually([&] { return cgroup_of(pid_) == fs::path{cgroup.folder()}.filename(); }));
    }
    Inhabitant(const Inhabitant&) = delete;
    Inhabitant& operator=(const Inhabitant&) = delete;
    ~Inhabitant()
    {
        if (pid_ > 0) {
            ::kill(pid_, SIGKILL);
            ::waitpid(pid_, nullptr, 0);
        }
    }

    /// Waits for its end; the signal that ended it.
    int ended_by()
    {
        int status = 0;
        REQUIRE(::waitpid(std::exchange(pid_, -1), &status, 0) > 0);
        return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    }

private:
    pid_t pid_;
};

/// False, with a message, where no cgroup can be made.
bool can_make(const TestCgroup& place)
{
    if (!place.is_there())
        MESSAGE("skipped: no cgroup (version 2, with cgroup.kill) can be made here");
    return place.is_there();
}

} // namespace

TEST_SUITE_BEGIN("cgroup");

TEST_CASE_FIXTURE(NoFdLeak,
                  "kill() ends who lives there, and when the last has gone it can be removed")
{
    const TestCgroup place;
    if (!can_make(place))
        return;
    Cgroup cgroup{place.folder() + "/a"};
    {
        Inhabitant first{cgroup};
        Inhabitant second{cgroup};
        cgroup.close_entrance();
        CHECK_FALSE(cgroup.remove());

        CHECK_FALSE(cgroup.kill());
        CHECK(first.ended_by() == SIGKILL);
        CHECK(second.ended_by() == SIGKILL);
    }
    CHECK(cgroup.remove());
    CHECK(cgroup.remove()); // once more is no harm
    CHECK_FALSE(fs::exists(cgroup.folder()));
}

TEST_CASE_FIXTURE(NoFdLeak, "what was made below it is killed and removed with it")
{
    const TestCgroup place;
    if (!can_make(place))
        return;
    const auto folder = place.folder() + "/a";
    {
        Cgroup cgroup{folder};
        fs::create_directory(folder + "/b");
        const Cgroup inner{folder + "/c"};
        Inhabitant inhabitant{inner};
        CHECK_FALSE(cgroup.remove());
        CHECK_FALSE(cgroup.kill());
        CHECK(inhabitant.ended_by() == SIGKILL);
    }
    CHECK_FALSE(fs::exists(folder));
}

TEST_CASE_FIXTURE(NoFdLeak, "where there are no cgroups none is made")
{
    const TempDir folder;
    const auto path = (folder.path() / "a").string();
    CHECK_THROWS_WITH_AS(Cgroup{path}, (path + "/cgroup.procs: No such file or directory").c_str(),
                         std::system_error);
    CHECK_FALSE(fs::exists(path));
    CHECK_THROWS_AS(Cgroup{path + "/b"}, std::system_error);
}

TEST_SUITE_END();

} // namespace usher::cgroup_test
