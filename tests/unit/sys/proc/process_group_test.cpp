// SPDX-License-Identifier: MIT
#include "common/sys/proc/process_group.hpp"

#include "tests/support/eventually.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <string>

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace usher::process_group_test {

using namespace usher::sys;
using namespace usher::test;

namespace {

/// A child of ours in the group `group`, or that leads one if it is 0, called `name`.
class Child {
public:
    Child(pid_t group, const char* name) : pid_{::fork()}
    {
        if (pid_ == 0) {
            ::prctl(PR_SET_NAME, name);
            ::setpgid(0, group);
            for (;;)
                ::pause();
        }
        ::setpgid(pid_, group); // whoever is first
    }
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    ~Child()
    {
        kill();
        ::waitpid(pid_, nullptr, 0);
    }

    [[nodiscard]] pid_t pid() const noexcept { return pid_; }

    /// It stays a zombie.
    void kill() const { ::kill(pid_, SIGKILL); }

private:
    pid_t pid_;
};

std::string text_of(pid_t group)
{
    std::string text;
    for (const auto& member : members_of_group(group))
        text += member.name + "=" + std::to_string(member.pid) + ";";
    return text;
}

} // namespace

TEST_SUITE_BEGIN("process_group");

TEST_CASE("who lives in a group is found by its number, also when its leader has ended")
{
    const Child leader{0, "leader"};
    const Child stranger{0, "stranger"};
    CHECK(text_of(leader.pid()).empty());

    const Child first{leader.pid(), "first"};
    const Child second{leader.pid(), ") Z (a b\n"};
    const auto named = [](const Child& child, const std::string& name) {
        return name + "=" + std::to_string(child.pid()) + ";";
    };
    const auto both = named(first, "first") + named(second, ") Z (a b\n");
    CHECK(eventually([&] { return text_of(leader.pid()) == both; }));
    leader.kill();
    CHECK(text_of(leader.pid()) == both);

    first.kill(); // nobody reaps it yet, and it has nothing left to do
    CHECK(eventually([&] { return text_of(leader.pid()) == named(second, ") Z (a b\n"); }));
    second.kill();
    CHECK(eventually([&] { return text_of(leader.pid()).empty(); }));
}

TEST_CASE("a group that is not there has nobody")
{
    CHECK(members_of_group(0x3fffffff).empty());
}

TEST_SUITE_END();

} // namespace usher::process_group_test
