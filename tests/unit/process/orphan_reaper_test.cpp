// SPDX-License-Identifier: MIT
#include "balancer/process/orphan_reaper.hpp"

#include "balancer/process/child_process.hpp"
#include "tests/support/child_process.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/process_facts.hpp"
#include "tests/support/run_until.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include <sys/prctl.h>
#include <unistd.h>

namespace usher::orphan_reaper_test {

using namespace usher::test;

namespace {

ChildProcess::Command shell(std::string script)
{
    ChildProcess::Command command;
    command.program = "/bin/sh";
    command.arguments = {"-c", std::move(script)};
    command.environment = {"PATH=/usr/bin:/bin"};
    return command;
}

std::ptrdiff_t zombies()
{
    return std::ranges::count(children_of(::getpid()), 'Z', state_of);
}

/// This process is given the orphans of its children, for a scope.
struct Fixture {
    Fixture() { REQUIRE(::prctl(PR_SET_CHILD_SUBREAPER, 1) == 0); }
    Fixture(const Fixture&) = delete;
    Fixture& operator=(const Fixture&) = delete;
    ~Fixture() { ::prctl(PR_SET_CHILD_SUBREAPER, 0); }

    boost::asio::io_context io;
    OrphanReaper reaper{io.get_executor()};
};

} // namespace

TEST_SUITE_BEGIN("orphan_reaper");

TEST_CASE_FIXTURE(Fixture, "orphans are reaped, our own children are not")
{
    reaper.start();
    // setsid, or the end of the shell would kill its group.
    const auto owner = start(io, shell("for i in 1 2 3; do setsid sh -c 'exit 7' & done; exit 9"));
    auto& child = *owner;
    REQUIRE(run_until(io, [&] { return state_of(child.pid()) == 'Z'; }));
    // It has ended, is at the head of the list, and hides those that come now.
    REQUIRE(eventually([&] {
        const auto children = children_of(::getpid());
        return std::ranges::all_of(children, [](pid_t pid) { return state_of(pid) == 'Z'; });
    }));
    run_ready(io);
    CHECK(zombies() >= 1);

    // Meanwhile the loop is not kept busy.
    io.restart();
    CHECK(io.run_for(100ms) <= 4);

    const auto status = child.reap();
    REQUIRE(status);
    CHECK(*status == sys::ExitStatus{.by_signal = false, .code = 9});
    CHECK(zombies() == 0);
    reaper.close();
    CHECK(run_to_end(io));
}

TEST_CASE_FIXTURE(Fixture, "one that was an orphan before is found")
{
    {
        const auto owner = start(io, shell("setsid sh -c 'exit 7' & exit 0"));
        auto& child = *owner;
        REQUIRE(eventually([&] { return child.reap().has_value(); }));
    }
    REQUIRE(eventually([] { return zombies() == 1; }));
    reaper.start();
    CHECK(zombies() == 0);
    reaper.close();
}

TEST_CASE("who is given no orphans has no handler, and leaves nothing on the loop")
{
    boost::asio::io_context io;
    OrphanReaper reaper{io.get_executor()};
    reaper.start();
    CHECK(io.poll() == 0);
    CHECK(io.stopped());
    struct sigaction action {};
    REQUIRE(::sigaction(SIGCHLD, nullptr, &action) == 0);
    CHECK((action.sa_handler == SIG_DFL));
}

TEST_SUITE_END();

} // namespace usher::orphan_reaper_test
