// SPDX-License-Identifier: MIT
#include "balancer/config/json/nearest_name.hpp"

#include <doctest/doctest.h>

#include <array>
#include <string>

namespace usher::nearest_name_test {

namespace {

constexpr std::array<std::string_view, 6> names{"name",   "command",   "workers",
                                                "listen", "max_queue", "cwd"};

} // namespace

TEST_SUITE_BEGIN("nearest_name");

TEST_CASE("letters swapped, left out, added or replaced are near")
{
    CHECK(nearest_name("wrokers", names) == "workers");
    CHECK(nearest_name("worker", names) == "workers");
    CHECK(nearest_name("commmand", names) == "command");
    CHECK(nearest_name("lisden", names) == "listen");
    CHECK(nearest_name("max-queue", names) == "max_queue");
}

TEST_CASE("capitals do not count")
{
    CHECK(nearest_name("LISTEN", names) == "listen");
    CHECK(nearest_name("maxQueue", names) == "max_queue");
}

TEST_CASE("the nearest of several wins")
{
    constexpr std::array<std::string_view, 2> delays{"first_delay", "last_delay"};
    CHECK(nearest_name("last_dely", delays) == "last_delay");
    CHECK(nearest_name("frst_delay", delays) == "first_delay");
}

TEST_CASE("nothing is near to a name that is all different, empty or very long")
{
    CHECK(nearest_name("zzz", names).empty());
    CHECK(nearest_name("", names).empty());
    CHECK(nearest_name(std::string(1'000'000, 'w'), names).empty());
    CHECK(nearest_name("workers", {}).empty());
}

TEST_SUITE_END();

} // namespace usher::nearest_name_test
