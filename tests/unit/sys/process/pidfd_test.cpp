// SPDX-License-Identifier: MIT
#include "common/sys/process/pidfd.hpp"

#include "tests/support/fds.hpp"
#include "tests/support/no_fd_leak.hpp"
#include "tests/support/printing.hpp"
#include "tests/support/sockets.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <functional>
#include <tuple>

#include <sys/wait.h>
#include <unistd.h>

namespace usher::pidfd_test {

using namespace usher::sys;
using namespace usher::test;

namespace {

/// A child that runs `body`; killed at the latest by the end of the scope.
class Child {
public:
    explicit Child(const std::function<void()>& body) : pid_{::fork()}
    {
        if (pid_ == 0) {
            body();
            ::_exit(0);
        }
        REQUIRE(pid_ > 0);
        pidfd_ = open_pidfd(pid_);
    }
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    ~Child()
    {
        std::ignore = send_signal(pidfd_.get(), SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }

    int pidfd() const { return pidfd_.get(); }
    pid_t pid() const { return pid_; }

    void wait_for_end() const { wait_readable(pidfd_.get()); }

private:
    pid_t pid_;
    UniqueFd pidfd_;
};

[[noreturn]] void sleep_forever()
{
    for (;;)
        ::pause();
}

} // namespace

TEST_SUITE_BEGIN("pidfd");

TEST_CASE_FIXTURE(NoFdLeak, "a child's exit code is its status")
{
    const Child child{[] { ::_exit(9); }};
    child.wait_for_end();

    const auto status = reap(child.pidfd());
    REQUIRE(status);
    CHECK(*status == ExitStatus{.by_signal = false, .code = 9});
}

TEST_CASE_FIXTURE(NoFdLeak, "a killed child's signal is its status")
{
    const Child child{sleep_forever};
    REQUIRE_FALSE(send_signal(child.pidfd(), SIGKILL));
    child.wait_for_end();

    const auto status = reap(child.pidfd());
    REQUIRE(status);
    CHECK(*status == ExitStatus{.by_signal = true, .code = SIGKILL});
}

TEST_CASE_FIXTURE(NoFdLeak, "a child that still runs has neither ended nor a status")
{
    const Child child{sleep_forever};
    CHECK_FALSE(has_ended(child.pidfd()));
    CHECK_FALSE(reap(child.pidfd()));
}

TEST_CASE_FIXTURE(NoFdLeak, "asking whether a child has ended leaves it a zombie")
{
    const Child child{[] { ::_exit(3); }};
    child.wait_for_end();
    CHECK(has_ended(child.pidfd()));
    CHECK(has_ended(child.pidfd()));
    CHECK(::kill(child.pid(), 0) == 0); // its number is still taken

    const auto status = reap(child.pidfd());
    REQUIRE(status);
    CHECK(status->code == 3);
    CHECK_FALSE(has_ended(child.pidfd()));
    CHECK_FALSE(reap(child.pidfd()));
}

TEST_CASE_FIXTURE(NoFdLeak, "a signal to a child that is gone is an error and hits nobody")
{
    const Child child{[] { ::_exit(0); }};
    child.wait_for_end();
    REQUIRE(reap(child.pidfd()));
    CHECK(send_signal(child.pidfd(), SIGTERM) == std::errc::no_such_process);
}

TEST_CASE_FIXTURE(NoFdLeak, "there is no pidfd of a process that is gone")
{
    const Child child{[] { ::_exit(0); }};
    child.wait_for_end();
    REQUIRE(reap(child.pidfd()));
    CHECK_THROWS_AS(std::ignore = open_pidfd(child.pid()), std::system_error);
}

TEST_CASE_FIXTURE(NoFdLeak, "a pidfd is close-on-exec")
{
    const Child child{sleep_forever};
    CHECK(is_close_on_exec(child.pidfd()));
}

TEST_SUITE_END();

TEST_SUITE_BEGIN("exit_status");

TEST_CASE("an exit status is a clause")
{
    CHECK(ExitStatus{.by_signal = false, .code = 9}.to_string() == "exited with code 9");
    CHECK(ExitStatus{.by_signal = true, .code = SIGKILL}.to_string() == "killed by SIGKILL");
    CHECK(ExitStatus{.by_signal = true, .code = 40}.to_string() == "killed by signal 40");
}

TEST_SUITE_END();

} // namespace usher::pidfd_test
