// SPDX-License-Identifier: MIT
#include "common/sys/fd/memfd.hpp"

#include "common/sys/fd/mapping.hpp"
#include "tests/support/fds.hpp"
#include "tests/support/no_fd_leak.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <string>
#include <system_error>
#include <tuple>
#include <utility>

#include <sys/stat.h>
#include <unistd.h>

namespace usher::memfd_test {

using namespace usher::sys;
using namespace usher::test;

namespace {

constexpr std::size_t page = 4096;

char* chars(const Mapping& mapping)
{
    return static_cast<char*>(mapping.data());
}

/// How many mappings of this process /proc/self/maps shows under `name`.
std::size_t mappings_named(const std::string& name)
{
    std::ifstream maps{"/proc/self/maps"};
    std::size_t count = 0;
    for (std::string line; std::getline(maps, line);)
        count += line.find(name) != std::string::npos ? 1 : 0;
    return count;
}

} // namespace

TEST_SUITE_BEGIN("memfd");

TEST_CASE_FIXTURE(NoFdLeak, "a sealed memfd has its size, is zero and close-on-exec")
{
    const UniqueFd fd = make_sealed_memfd("usher-test", page);
    struct stat status {};
    REQUIRE(::fstat(fd.get(), &status) == 0);
    CHECK(status.st_size == page);
    CHECK(is_close_on_exec(fd.get()));

    const Mapping mapping{fd.get(), page};
    CHECK(std::count(chars(mapping), chars(mapping) + page, 0) == page);
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

TEST_SUITE_BEGIN("mapping");

TEST_CASE_FIXTURE(NoFdLeak, "two mappings of one file show each other's writes")
{
    const UniqueFd fd = make_sealed_memfd("usher-test", page);
    const Mapping first{fd.get(), page};
    const Mapping second{fd.get(), page};
    REQUIRE(first.data() != second.data());

    chars(first)[17] = 'x';
    CHECK(chars(second)[17] == 'x');
}

TEST_CASE_FIXTURE(NoFdLeak, "a mapping outlives its descriptor and ends with its object")
{
    UniqueFd fd = make_sealed_memfd("usher-test-end", page);
    {
        const Mapping mapping{fd.get(), page};
        fd.reset();
        chars(mapping)[0] = 'x';
        CHECK(mappings_named("usher-test-end") == 1);
    }
    CHECK(mappings_named("usher-test-end") == 0);
}

TEST_CASE_FIXTURE(NoFdLeak, "moving a mapping leaves the source empty, assigning unmaps in time")
{
    const UniqueFd fd = make_sealed_memfd("usher-test-move", page);
    Mapping source{fd.get(), page};
    void* const address = source.data();
    {
        Mapping target{std::move(source)};
        CHECK(source.data() == nullptr);
        CHECK(target.data() == address);

        target = Mapping{fd.get(), page};
        CHECK(mappings_named("usher-test-move") == 1);
    }
    CHECK(mappings_named("usher-test-move") == 0);
}

TEST_CASE_FIXTURE(NoFdLeak, "what cannot be mapped throws")
{
    const Pipe pipe = make_pipe();
    CHECK_THROWS_AS((Mapping{pipe.reader.get(), page}), std::system_error);
}

TEST_SUITE_END();

} // namespace usher::memfd_test
