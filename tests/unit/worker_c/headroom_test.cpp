// SPDX-License-Identifier: MIT
#include "tests/support/fds.hpp"
#include "tests/support/no_fd_leak.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <vector>

extern "C" {
#include "worker/c/handoff.h"
}

namespace usher::headroom_test {

using namespace usher::sys;
using namespace usher::test;

namespace {

constexpr std::size_t limit = 400;

/// The mark, kept as the libraries keep it.
struct Reserve {
    static constexpr int packet = uw_max_records;
    int mark = 0;

    bool is_known() const { return mark > 0; }
    bool look() { return uw_find_fd_reserve(&mark); }
    void note(int fd) { mark = fd >= mark ? 0 : mark; }
};

struct Fixture : NoFdLeak {
    UniqueFd null = open_null();
    std::vector<UniqueFd> fds;
    ScopedFdLimit scope = ScopedFdLimit::at(limit);
    Reserve reserve;

    std::ptrdiff_t free_now() const
    {
        // One is what lists them.
        return static_cast<std::ptrdiff_t>(limit) - (open_fd_count() - 1);
    }

    bool is_there() { return reserve.is_known() || reserve.look(); }

    void open_one(int lowest = 0) { fds.push_back(duplicate(null.get(), lowest)); }
};

} // namespace

TEST_SUITE_BEGIN("fd_reserve");

TEST_CASE_FIXTURE(Fixture, "far from the limit it is there")
{
    CHECK_FALSE(reserve.is_known());
    CHECK(reserve.look());
    CHECK(reserve.is_known());
}

TEST_CASE_FIXTURE(Fixture, "it is never there with less room than a packet takes")
{
    REQUIRE(is_there());
    while (free_now() > 1) {
        open_one();
        reserve.note(fds.back().get());
        const bool fits = free_now() >= Reserve::packet;
        CHECK(is_there() == fits);
    }
}

TEST_CASE_FIXTURE(Fixture, "a low number that comes free does not hide a full table")
{
    REQUIRE(is_there());
    while (free_now() > 1) {
        open_one();
        reserve.note(fds.back().get());
    }
    fds.front().reset();
    fds.front() = duplicate(null.get());
    reserve.note(fds.front().get());
    CHECK_FALSE(is_there());
}

TEST_CASE_FIXTURE(Fixture, "when descriptors come free it is there again")
{
    while (free_now() > 1)
        open_one();
    CHECK_FALSE(is_there());
    fds.clear();
    CHECK(is_there());
}

TEST_CASE_FIXTURE(Fixture, "a few descriptors that a program keeps at the top do not matter")
{
    for (int i = 0; i < Reserve::packet; ++i)
        open_one(static_cast<int>(limit) - Reserve::packet);
    CHECK(is_there());
    open_one(static_cast<int>(limit) / 2);
    reserve.note(fds.back().get());
    CHECK(is_there());
}

TEST_CASE("a limit of fewer than a packet's descriptors is never far away")
{
    const auto low = ScopedFdLimit::at(Reserve::packet);
    Reserve reserve;
    CHECK_FALSE(reserve.look());
}

TEST_SUITE_END();

} // namespace usher::headroom_test
