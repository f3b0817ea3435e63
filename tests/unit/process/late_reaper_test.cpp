// SPDX-License-Identifier: MIT
#include "balancer/process/late_reaper.hpp"

#include "common/async/adopt_fd.hpp"
#include "common/sys/process/pidfd.hpp"
#include "tests/support/no_fd_leak.hpp"
#include "tests/support/run_until.hpp"
#include "tests/support/test_cgroup.hpp"

#include <boost/asio/io_context.hpp>
#include <doctest/doctest.h>

#include <csignal>
#include <filesystem>
#include <memory>

#include <sys/wait.h>
#include <unistd.h>

namespace usher::late_reaper_test {

using namespace usher::test;

namespace {

/// A process that does nothing, in `cgroup` if there is one.
pid_t make_process(const sys::Cgroup* cgroup)
{
    const pid_t child = ::fork();
    if (child == 0) {
        if (cgroup == nullptr || cgroup->enter())
            ::pause();
        ::_exit(1);
    }
    REQUIRE(child > 0);
    return child;
}

void end(pid_t process)
{
    ::kill(process, SIGKILL);
    ::waitpid(process, nullptr, 0);
}

} // namespace

TEST_SUITE_BEGIN("late_reaper");

TEST_CASE("a cgroup in which somebody outlives the child is removed when that one has gone")
{
    const NoFdLeak no_leak;
    const TestCgroup parent;
    if (!parent.is_there()) {
        MESSAGE("left out: no cgroup can be made here");
        return;
    }
    boost::asio::io_context io;
    const auto folder = parent.folder() + "/worker";
    auto cgroup = std::make_shared<sys::Cgroup>(folder);
    const pid_t other = make_process(cgroup.get());
    REQUIRE(eventually([&] { return cgroup_of(other) == "worker"; }));
    const pid_t child = make_process(nullptr);
    auto& reaper = LateReaper::of(io.get_executor());
    reaper.take(child, adopt_fd<boost::asio::posix::stream_descriptor>(io, sys::open_pidfd(child)),
                std::move(cgroup));
    ::kill(child, SIGKILL);
    REQUIRE(run_until(io, [&] { return ::kill(child, 0) < 0; }));
    CHECK(std::filesystem::exists(folder));
    end(other);
    CHECK(run_until(io, [&] { return !std::filesystem::exists(folder); }));
}

TEST_SUITE_END();

} // namespace usher::late_reaper_test
