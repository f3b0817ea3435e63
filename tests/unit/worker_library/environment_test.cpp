// SPDX-License-Identifier: MIT
#include "worker/src/environment.hpp"

#include "tests/support/fake_master.hpp"
#include "tests/support/fds.hpp"
#include "tests/support/no_fd_leak.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <stdexcept>
#include <string>

namespace usher::environment_test {

using namespace usher::test;

namespace {

struct Fixture : NoFdLeak {
    FakeMaster master;

    static void set(const char* name, const char* value) { REQUIRE(::setenv(name, value, 1) == 0); }

    /// Why the environment is refused.
    static std::string refusal()
    {
        try {
            const auto inheritance = worker::take_inheritance();
            return inheritance ? "accepted" : "no master";
        } catch (const std::runtime_error& error) {
            return error.what();
        }
    }
};

} // namespace

TEST_SUITE_BEGIN("environment");

TEST_CASE_FIXTURE(NoFdLeak, "without a protocol there is no master")
{
    CHECK_FALSE(worker::take_inheritance());
}

TEST_CASE_FIXTURE(Fixture, "what the master gave is taken over once, close-on-exec")
{
    {
        const auto inheritance = worker::take_inheritance();
        REQUIRE(inheritance);
        CHECK(inheritance->identity.pool == "api");
        CHECK(is_close_on_exec(inheritance->handoff.get()));
        CHECK(is_close_on_exec(inheritance->control.get()));
        inheritance->scoreboard.page().load = 5;
        CHECK(master.page().load == 5);
    }
    CHECK(refusal() == "no master");
}

TEST_CASE_FIXTURE(Fixture, "another protocol is refused with both numbers and the remedy")
{
    set("USHER_PROTOCOL", "2");
    CHECK(refusal() == "the master speaks protocol 2, this program speaks 1: build it against the "
                       "installed usher");
}

TEST_CASE_FIXTURE(Fixture, "a variable that is missing is named")
{
    for (const char* const name :
         {"USHER_HANDOFF_FD", "USHER_CONTROL_FD", "USHER_SCOREBOARD_FD", "USHER_WORKER_ID",
          "USHER_SLOT", "USHER_GENERATION", "USHER_POOL"}) {
        const FakeMaster other;
        ::unsetenv(name);
        CHECK(refusal() == std::string{name} +
                               " is not set although USHER_PROTOCOL is: start this program with "
                               "usher, or without both");
    }
}

TEST_CASE_FIXTURE(Fixture, "a variable that is no number is named with its value")
{
    for (const char* const value : {"", "x", "1x", " 1", "-1", "99999999999999999999999"}) {
        set("USHER_SLOT", value);
        CHECK(refusal() == std::string{"USHER_SLOT is \""} + value + "\", which is no number");
    }
}

TEST_CASE_FIXTURE(Fixture, "a descriptor that is not open is named with its number")
{
    set("USHER_HANDOFF_FD", "999");
    CHECK(refusal() == "USHER_HANDOFF_FD names descriptor 999, which is not open");
}

TEST_CASE_FIXTURE(Fixture, "a scoreboard of another version is refused")
{
    master.page().version = 2;
    CHECK(refusal() == "the scoreboard is of another version than this program's");
}

TEST_SUITE_END();

} // namespace usher::environment_test
