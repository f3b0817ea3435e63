// SPDX-License-Identifier: MIT
#include "common/sys/fd/close_fds.hpp"

#include "tests/support/fds.hpp"
#include "tests/support/no_fd_leak.hpp"

#include <doctest/doctest.h>

#include <initializer_list>
#include <vector>

#include <unistd.h>

namespace usher::close_fds_test {

using namespace usher::sys;
using namespace usher::test;

namespace {

/// Opens exactly these numbers, which are well above those that tests use.
std::vector<int> open_numbers(std::initializer_list<int> numbers)
{
    for (const int number : numbers)
        REQUIRE(duplicate(STDIN_FILENO, number).release() == number);
    return numbers;
}

bool are_closed(const std::vector<int>& numbers)
{
    for (const int number : numbers)
        if (is_open(number))
            return false;
    return true;
}

} // namespace

TEST_SUITE_BEGIN("close_fds");

TEST_CASE_FIXTURE(NoFdLeak, "nothing is closed of an empty list")
{
    close_fds({});
}

TEST_CASE_FIXTURE(NoFdLeak, "a single descriptor is closed")
{
    const auto fds = open_numbers({200});
    close_fds(fds);
    CHECK(are_closed(fds));
}

TEST_CASE_FIXTURE(NoFdLeak, "a run of neighbours is closed and nothing beside it")
{
    const UniqueFd below = duplicate(STDIN_FILENO, 199);
    const UniqueFd above = duplicate(STDIN_FILENO, 204);
    const auto fds = open_numbers({200, 201, 202, 203});

    close_fds(fds);
    CHECK(are_closed(fds));
    CHECK(is_open(below.get()));
    CHECK(is_open(above.get()));
}

TEST_CASE_FIXTURE(NoFdLeak, "descriptors in the gaps between runs stay open")
{
    const UniqueFd between = duplicate(STDIN_FILENO, 202);
    const auto fds = open_numbers({200, 201, 203, 210, 211});

    close_fds(fds);
    CHECK(are_closed(fds));
    CHECK(is_open(between.get()));
}

TEST_CASE_FIXTURE(NoFdLeak, "the order does not matter")
{
    const auto fds = open_numbers({205, 204, 203, 200, 201});
    close_fds(fds);
    CHECK(are_closed(fds));
}

TEST_SUITE_END();

} // namespace usher::close_fds_test
