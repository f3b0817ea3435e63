// SPDX-License-Identifier: MIT
#include "balancer/process/pid_variable.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <string_view>

namespace usher::pid_variable_test {

TEST_SUITE_BEGIN("pid_variable");

TEST_CASE("the number is filled in behind the name, as often as one likes")
{
    const PidVariable variable{"LISTEN_PID"};
    CHECK(std::string_view{variable.text()} == "LISTEN_PID=");
    variable.fill_in(4711);
    CHECK(std::string_view{variable.text()} == "LISTEN_PID=4711");
    variable.fill_in(std::numeric_limits<pid_t>::max());
    CHECK(std::string_view{variable.text()} == "LISTEN_PID=2147483647");
    variable.fill_in(1);
    CHECK(std::string_view{variable.text()} == "LISTEN_PID=1");
}

TEST_SUITE_END();

} // namespace usher::pid_variable_test
