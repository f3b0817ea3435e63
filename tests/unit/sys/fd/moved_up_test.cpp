// SPDX-License-Identifier: MIT
#include "common/sys/fd/moved_up.hpp"

#include "common/sys/fd/pipe.hpp"
#include "common/sys/socket/channel_pair.hpp"
#include "tests/support/fds.hpp"
#include "tests/support/no_fd_leak.hpp"

#include <doctest/doctest.h>

#include <utility>

namespace usher::moved_up_test {

using namespace usher::sys;
using namespace usher::test;

TEST_SUITE_BEGIN("moved_up");

TEST_CASE_FIXTURE(NoFdLeak, "what goes to a child leaves no gap among the numbers of what stays")
{
    const auto first = make_pipe_to_read();
    const auto second = make_channel_pair();
    const UniqueFd third = open_null();
    CHECK(second.parent.get() == first.reader.get() + 1);
    CHECK(third.get() == second.parent.get() + 1);

    for (const int lent : {first.writer.get(), second.child.get()}) {
        CHECK(lent >= 512);
        CHECK(is_close_on_exec(lent));
    }
}

TEST_CASE_FIXTURE(NoFdLeak, "without a number so high it stays where it is")
{
    UniqueFd fd = open_null();
    const int number = fd.get();
    const ScopedFdLimit limit{1};
    CHECK(moved_up(std::move(fd)).get() == number);
}

TEST_SUITE_END();

} // namespace usher::moved_up_test
