// SPDX-License-Identifier: MIT
// Workers of another user, and strangers, against a master that is root: nobody is stopped.
#include "tests/hostile/neighbourhood.hpp"

#include <doctest/doctest.h>

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

TEST_SUITE_END();

} // namespace usher::hostile_test
