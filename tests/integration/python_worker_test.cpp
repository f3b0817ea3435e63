// SPDX-License-Identifier: MIT
//
// The examples in Python under a real master.
#include "tests/support/worker_program.hpp"

#include <doctest/doctest.h>

namespace usher::python_worker_test {

using namespace usher::test;

TEST_SUITE_BEGIN("python_worker");

TEST_CASE("2,000 connections go to 1, 2, 3, 4, 1, 2, ... without one exception")
{
    check_strict_turn(python_asyncio_worker());
    check_strict_turn(python_blocking_worker());
}

TEST_CASE("a worker that is killed under load loses no more than it had taken")
{
    check_killed_while_it_serves(python_asyncio_worker());
    check_killed_while_it_serves(python_blocking_worker());
}

TEST_CASE("what a killed worker had not taken is served by the others")
{
    check_killed_with_a_queue(python_asyncio_worker());
    check_killed_with_a_queue(python_blocking_worker());
}

TEST_CASE("reloads under load lose nothing")
{
    check_reload(python_asyncio_worker());
    check_reload(python_blocking_worker());
}

TEST_CASE("a drain finishes the request that is in flight")
{
    check_drain(python_asyncio_worker());
    check_drain(python_blocking_worker());
}

TEST_CASE("when the master is killed the request in flight is finished, and all exit")
{
    check_master_death(python_asyncio_worker());
    check_master_death(python_blocking_worker());
}

TEST_SUITE_END();

} // namespace usher::python_worker_test
