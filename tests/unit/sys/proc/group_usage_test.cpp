// SPDX-License-Identifier: MIT
#include "common/sys/proc/group_usage.hpp"

#include "tests/support/eventually.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <tuple>

#include <sys/wait.h>
#include <unistd.h>

namespace usher::group_usage_test {

using namespace usher::sys;
using namespace usher::test;
using namespace std::chrono_literals;

namespace {

/// A process group of two that do nothing but use a processor, until the end of the scope.
class BusyGroup {
public:
    BusyGroup() : leader_{::fork()}
    {
        if (leader_ == 0) {
            ::setpgid(0, 0);
            std::ignore = ::fork();
            for (;;)
                std::ignore = ::getppid();
        }
        ::setpgid(leader_, leader_);
    }
    BusyGroup(const BusyGroup&) = delete;
    BusyGroup& operator=(const BusyGroup&) = delete;
    ~BusyGroup()
    {
        ::kill(-leader_, SIGKILL);
        ::waitpid(leader_, nullptr, 0);
    }

    [[nodiscard]] pid_t id() const noexcept { return leader_; }

private:
    pid_t leader_;
};

} // namespace

TEST_SUITE_BEGIN("group_usage");

TEST_CASE("a group uses what all of its processes use")
{
    const BusyGroup group;
    CHECK(eventually([&] {
        const auto usage = usage_of_groups({group.id()});
        return usage.contains(group.id()) && usage.at(group.id()).cpu >= 50ms &&
               usage.at(group.id()).memory > 0;
    }));
}

TEST_CASE("groups without a process are left out, and so is who was not asked for")
{
    const BusyGroup group;
    const auto usage = usage_of_groups({0x3fffffff, ::getpgrp()});
    CHECK(usage.size() == 1);
    CHECK(usage.contains(::getpgrp()));
    CHECK(usage_of_groups({}).empty());
}

TEST_SUITE_END();

} // namespace usher::group_usage_test
