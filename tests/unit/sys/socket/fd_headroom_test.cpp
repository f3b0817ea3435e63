// SPDX-License-Identifier: MIT

#include "common/sys/socket/fd_message.hpp"
#include "tests/support/fds.hpp"
#include "tests/support/no_fd_leak.hpp"

#include <doctest/doctest.h>

#include <vector>

namespace usher::fd_headroom_test {

using namespace usher::sys;
using namespace usher::test;

TEST_SUITE_BEGIN("fd_headroom");

TEST_CASE_FIXTURE(NoFdLeak, "there is room up to RLIMIT_NOFILE and not for one more")
{
    const ScopedFdLimit limit{3};
    CHECK(has_fd_headroom(0, 0));
    CHECK(has_fd_headroom(0, 3));
    CHECK_FALSE(has_fd_headroom(0, 4));
}

TEST_CASE_FIXTURE(NoFdLeak, "asking leaves nothing open, whatever the answer")
{
    const UniqueFd null = open_null();
    const ScopedFdLimit limit{2};
    const auto before = open_fd_count();
    CHECK(has_fd_headroom(null.get(), 1));
    CHECK_FALSE(has_fd_headroom(null.get(), max_fds_per_message));
    CHECK(open_fd_count() == before);
}

TEST_CASE_FIXTURE(NoFdLeak, "without any free number there is room for nothing")
{
    std::vector<UniqueFd> all;
    const ScopedFdLimit limit{1};
    all.push_back(open_null());
    CHECK(has_fd_headroom(0, 0));
    CHECK_FALSE(has_fd_headroom(0, 1));
}

TEST_SUITE_END();

} // namespace usher::fd_headroom_test
