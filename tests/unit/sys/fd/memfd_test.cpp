// SPDX-License-Identifier: MIT
#include "common/sys/fd/memfd.hpp"

#include "tests/support/fds.hpp"
#include "tests/support/no_fd_leak.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <tuple>

#include <sys/stat.h>
#include <unistd.h>

namespace usher::memfd_test {

using namespace usher::sys;
using namespace usher::test;

namespace {

constexpr std::size_t page = 4096;

} // namespace

TEST_SUITE_BEGIN("memfd");

TEST_CASE_FIXTURE(NoFdLeak, "a sealed memfd has its size, is zero and close-on-exec")
{
    const UniqueFd fd = make_sealed_memfd("usher-test", page);
    struct stat status {};
    REQUIRE(::fstat(fd.get(), &status) == 0);
    CHECK(status.st_size == page);
    CHECK(is_close_on_exec(fd.get()));

    std::array<char, page> content{};
    content.fill('x');
    REQUIRE(::pread(fd.get(), content.data(), page, 0) == page);
    CHECK(std::ranges::count(content, 0) == page);
}

TEST_CASE_FIXTURE(NoFdLeak, "nobody can shrink or grow it")
{
    const UniqueFd fd = make_sealed_memfd("usher-test", page);
    CHECK(::ftruncate(fd.get(), 0) < 0);
    CHECK(errno == EPERM);
    CHECK(::ftruncate(fd.get(), 2 * page) < 0);
    CHECK(errno == EPERM);
    CHECK(::pwrite(fd.get(), "x", 1, page) < 0);
}

TEST_CASE_FIXTURE(NoFdLeak, "without a free descriptor it throws")
{
    const auto make_at_limit = [] {
        const ScopedFdLimit limit{0};
        return make_sealed_memfd("usher-test", page);
    };
    CHECK_THROWS_AS(std::ignore = make_at_limit(), std::system_error);
}

TEST_SUITE_END();

} // namespace usher::memfd_test
