// SPDX-License-Identifier: MIT
#include "common/sys/proc/process_memory.hpp"

#include <doctest/doctest.h>

#include <ostream>
#include <string>
#include <vector>

#include <unistd.h>

namespace usher::process_memory_test {

TEST_SUITE_BEGIN("process_memory");

TEST_CASE("the size of a process grows with what it writes to")
{
    std::uint64_t before = 0;
    REQUIRE_FALSE(sys::proportional_set_size(::getpid(), before));
    CHECK(before > 0);

    constexpr std::size_t size = 32UL << 20;
    const std::vector<char> written(size, 'x');
    std::uint64_t after = 0;
    REQUIRE_FALSE(sys::proportional_set_size(::getpid(), after));
    CHECK(after >= before + size * 9 / 10);
    CHECK(after <= before + size * 2);
    CHECK(written.back() == 'x');
}

TEST_CASE("a process that is not there is an error")
{
    std::uint64_t bytes = 7;
    CHECK(sys::proportional_set_size(-1, bytes) == std::errc::no_such_file_or_directory);
    CHECK(bytes == 7);
}

TEST_SUITE_END();

} // namespace usher::process_memory_test
