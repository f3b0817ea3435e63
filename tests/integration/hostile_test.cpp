// SPDX-License-Identifier: MIT
// Workers of another user, and strangers, against a master that is root: nobody is stopped.
#include "tests/hostile/neighbourhood.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <csignal>
#include <cstddef>

namespace usher::hostile_test {

using namespace usher::test;
using namespace std::chrono_literals;

TEST_SUITE_BEGIN("hostile");

TEST_CASE("a neighbour that does nothing, not even become ready, disturbs nobody")
{
    if (!Neighbourhood::is_possible())
        return;
    Neighbourhood here;
    here.start();
    here.stranger_does("nothing");
    here.check_innocent(1s);
}

TEST_CASE("all that they can do, at once, stops nobody")
{
    if (!Neighbourhood::is_possible())
        return;
    const auto cases = Neighbourhood::all_cases();
    Neighbourhood here;
    for (std::size_t number = 0; number < cases.size(); ++number)
        here.add(cases[number], number);
    auto& usher = here.start();
    for (const auto& each : cases)
        here.start_strangers_of(each);
    for (const char* const begun : {"says objects", "says much", "has no terminal"})
        here.wait_for(begun);
    here.check_innocent(10s);
    CHECK(usher.command({"restart", "all", "--pool", "innocent", "--timeout", "20s"}).code == 0);
    usher.signal(SIGTERM);
    here.check_end();
}

TEST_SUITE_END();

} // namespace usher::hostile_test
