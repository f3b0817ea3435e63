// SPDX-License-Identifier: MIT
#include "common/sys/process/account.hpp"
#include "tests/support/nobody.hpp"
#include "tests/support/one_pool.hpp"
#include "tests/support/usher_process.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <functional>
#include <string>

#include <sys/stat.h>

namespace usher::run_as_failures_test {

using namespace usher::test;
namespace sys = usher::sys;
using nlohmann::json;

namespace {

constexpr sys::ExitStatus failure{.by_signal = false, .code = 1};
constexpr sys::ExitStatus bad_config{.by_signal = false, .code = 3};

/// False, with a message, where a worker cannot be run as `nobody`.
bool can_change_users()
{
    const bool can = can_run_as_nobody({demo_program(), usher_program()});
    if (!can)
        MESSAGE("skipped: only root can change users, and nobody must reach " << demo_program());
    return can;
}

/// Runs usher until it fails, because no worker can be started: the reason must be in its log.
void check_failure(const json& pool, const std::string& sentence,
                   const std::function<void()>& in_child = {})
{
    CAPTURE(sentence);
    const OnePool site{pool};
    UsherProcess usher{site.run(), in_child};
    CHECK(usher.wait() == failure);
    CHECK_MESSAGE(usher.count("cannot be started: " + sentence) >= 1, usher.log());
}

/// The same for a configuration that is refused.
void check_refusal(const json& pool, const std::string& sentence,
                   const std::function<void()>& in_child = {})
{
    CAPTURE(sentence);
    const OnePool site{pool};
    UsherProcess usher{site.run(), in_child};
    CHECK(usher.wait() == bad_config);
    CHECK_MESSAGE(usher.count("usher: " + site.file + ": " + sentence) == 1, usher.log());
}

} // namespace

TEST_SUITE_BEGIN("run_as_failures");

TEST_CASE("what cannot be done is named with its step, and the exit code is 1")
{
    check_failure({{"rlimits", {{"nofile", 1'000'000'000'000}}}},
                  demo_program() + ": setting the limit \"nofile\" to 1000000000000 (hard: "
                                   "1000000000000) failed: Operation not permitted (only root can "
                                   "raise a hard limit, and nofile never above fs.nr_open)");
    check_failure({{"cpu_affinity", {8'191}}},
                  demo_program() +
                      ": setting cpu_affinity failed: usher may use none of these CPUs");
    check_failure({{"cwd", "/no-such-folder"}},
                  "/no-such-folder: changing to its working directory failed: No such file");
}

TEST_CASE("a folder or a program that its user may not reach is named")
{
    if (!can_change_users())
        return;
    const TempDir closed; // to all but its owner
    const auto script = closed.write("server", "#!/bin/sh\n");
    ::chmod(script.c_str(), 0755);
    check_failure({{"user", "nobody"}, {"cwd", closed.path()}},
                  closed.path().string() + ": changing to its working directory failed: Permission "
                                           "denied (user \"nobody\" must be allowed to enter it)");
    check_failure({{"user", "nobody"}, {"command", {script}}},
                  script.string() + ": cannot be executed: Permission denied (user \"nobody\" must "
                                    "be allowed to execute it, and to enter every folder on the "
                                    "way to it)");
}

TEST_CASE("a user or group that is not there is refused before anything starts")
{
    check_refusal({{"user", "no-such-user"}},
                  "/pools/0/user: there is no user \"no-such-user\" on this system");
    check_refusal({{"groups", {"no-such-group"}}},
                  "/pools/0/groups/0: there is no group \"no-such-group\" on this system");

    const OnePool site{{{"user", "no-such-user"}}};
    UsherProcess check{{"check", "--config", site.file}};
    CHECK(check.wait() == bad_config);
    CHECK(check.count("/pools/0/user: there is no user \"no-such-user\"") == 1);
}

TEST_CASE("a master that is not root says what it may not do")
{
    if (!can_change_users())
        return;
    const auto nobody = std::to_string(sys::find_user("nobody")->id);
    const auto no_right =
        ", but usher runs as user " + nobody + " without the right to change that ";
    check_refusal({{"user", "root"}}, "/pools/0/user: is \"root\"" + no_right + "(CAP_SETUID)",
                  become_nobody);
    check_refusal({{"group", "daemon"}},
                  "/pools/0/group: is \"daemon\"" + no_right + "(CAP_SETGID)", become_nobody);
    check_refusal({{"groups", {"daemon"}}}, "/pools/0/groups: needs other groups than usher has",
                  become_nobody);
    check_failure({{"nice", -5}},
                  demo_program() + ": setting nice to -5 failed: Permission denied (only root can "
                                   "make it lower)",
                  become_nobody);
    check_failure({{"oom_score_adj", -1}},
                  demo_program() + ": setting oom_score_adj to -1 failed: Permission denied (only "
                                   "root can make it lower)",
                  become_nobody);
}

TEST_SUITE_END();

} // namespace usher::run_as_failures_test
