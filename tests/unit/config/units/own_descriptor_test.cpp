// SPDX-License-Identifier: MIT
#include "balancer/config/units/own_descriptor.hpp"

#include <doctest/doctest.h>

namespace usher::own_descriptor_test {

TEST_SUITE_BEGIN("own_descriptor");

TEST_CASE("some paths name descriptors, and no other does")
{
    CHECK(own_descriptor("/dev/stdout") == 1);
    CHECK(own_descriptor("/dev/stderr") == 2);
    CHECK(own_descriptor("/dev/fd/0") == 0);
    CHECK(own_descriptor("/proc/self/fd/31") == 31);
    for (const auto* const path :
         {"", "/dev/stdin", "/dev/stdout/", "/dev/fd/", "/dev/fd/1x", "/dev/fd/-1", "/dev/fd/ 1",
          "/dev/fd/99999999999", "/proc/1/fd/1", "stdout", "/var/log/dev/stdout"}) {
        CAPTURE(path);
        CHECK_FALSE(own_descriptor(path));
    }
}

TEST_SUITE_END();

} // namespace usher::own_descriptor_test
