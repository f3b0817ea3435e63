// SPDX-License-Identifier: MIT
#include "common/sys/fd/unique_fd.hpp"

#include "tests/support/fds.hpp"
#include "tests/support/no_fd_leak.hpp"

#include <doctest/doctest.h>

#include <cerrno>
#include <type_traits>
#include <utility>

namespace usher::unique_fd_test {

using namespace usher::sys;
using namespace usher::test;

static_assert(!std::is_copy_constructible_v<UniqueFd>);
static_assert(!std::is_convertible_v<int, UniqueFd>);
static_assert(!std::is_convertible_v<UniqueFd, int>);
static_assert(sizeof(UniqueFd) == sizeof(int));

TEST_SUITE_BEGIN("unique_fd");

TEST_CASE_FIXTURE(NoFdLeak, "the end of the scope closes the descriptor")
{
    int number = -1;
    {
        const UniqueFd fd = open_null();
        number = fd.get();
        REQUIRE(is_open(number));
    }
    CHECK_FALSE(is_open(number));
}

TEST_CASE_FIXTURE(NoFdLeak, "a failed call's result makes an empty object")
{
    const UniqueFd fd{-1};
    CHECK_FALSE(fd);
    CHECK(fd.get() == -1);
}

TEST_CASE_FIXTURE(NoFdLeak, "moving passes on the ownership and leaves the source empty")
{
    UniqueFd source = open_null();
    const int number = source.get();

    const UniqueFd target{std::move(source)};
    CHECK_FALSE(source);
    CHECK(target.get() == number);
    CHECK(is_open(number));
}

TEST_CASE_FIXTURE(NoFdLeak, "assigning closes what was held before")
{
    UniqueFd target = open_null();
    const int old_number = target.get();
    UniqueFd source = open_null();
    const int number = source.get();

    target = std::move(source);
    CHECK(target.get() == number);
    CHECK_FALSE(source);
    CHECK_FALSE(is_open(old_number));
}

TEST_CASE_FIXTURE(NoFdLeak, "assigning an object to itself keeps the descriptor")
{
    UniqueFd fd = open_null();
    const int number = fd.get();
    UniqueFd& same = fd;

    fd = std::move(same);
    CHECK(fd.get() == number);
    CHECK(is_open(number));
}

TEST_CASE_FIXTURE(NoFdLeak, "release() gives up the descriptor without closing it")
{
    UniqueFd fd = open_null();
    const UniqueFd owner{fd.release()};
    CHECK_FALSE(fd);
    CHECK(is_open(owner.get()));
}

TEST_CASE_FIXTURE(NoFdLeak, "reset() closes the old descriptor, owns the new one and keeps errno")
{
    UniqueFd fd = open_null();
    const int old_number = fd.get();
    UniqueFd next = open_null();
    const int number = next.get();

    errno = EXDEV;
    fd.reset(next.release());
    CHECK(errno == EXDEV);
    CHECK(fd.get() == number);
    CHECK_FALSE(is_open(old_number));
}

TEST_SUITE_END();

} // namespace usher::unique_fd_test
