// SPDX-License-Identifier: MIT
#include "usher/worker/detail/lease.hpp"

#include "tests/support/allocations.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <deque>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace usher::lease_test {

using namespace usher::worker::detail;
using namespace usher::test;

namespace {

struct Fixture {
    std::atomic<int> returned{0};
    std::shared_ptr<LeaseBook> book = std::make_shared<LeaseBook>([this] { ++returned; });
};

} // namespace

TEST_SUITE_BEGIN("lease");

TEST_CASE_FIXTURE(Fixture, "the last share reports the return, and no other")
{
    std::optional<Lease> first{book->issue()};
    std::optional<Lease> second{*first};
    std::optional<Lease> third{*second};

    first.reset();
    third.reset();
    CHECK(returned == 0);
    second.reset();
    CHECK(returned == 1);
}

TEST_CASE_FIXTURE(Fixture, "moving a share makes no new one")
{
    {
        Lease source = book->issue();
        const Lease target{std::move(source)};
        CHECK(source == Lease{});
        CHECK_FALSE(target == Lease{});
        CHECK(returned == 0);
    }
    CHECK(returned == 1);
}

TEST_CASE_FIXTURE(Fixture, "assigning gives the old share back")
{
    Lease lease = book->issue();
    lease = book->issue();
    CHECK(returned == 1);
    lease = Lease{};
    CHECK(returned == 2);
}

TEST_CASE_FIXTURE(Fixture, "assigning a share to itself keeps it")
{
    Lease lease = book->issue();
    const Lease& same = lease;
    lease = same;
    CHECK(returned == 0);
    CHECK_FALSE(lease == Lease{});
}

TEST_CASE_FIXTURE(Fixture, "shares of one lease are equal, those of two are not")
{
    const Lease first = book->issue();
    const Lease& share = first;
    const Lease copy{share};
    const Lease second = book->issue();
    CHECK(first == copy);
    CHECK_FALSE(first == second);
}

TEST_CASE("an empty lease reports nothing")
{
    const Lease empty;
    const Lease& same = empty;
    const Lease copy{same};
    CHECK(empty == copy);
}

TEST_CASE_FIXTURE(Fixture, "a lease keeps its book")
{
    const std::weak_ptr<LeaseBook> watched{book};
    {
        const Lease lease = book->issue();
        book.reset();
        CHECK_FALSE(watched.expired());
    }
    CHECK(returned == 1);
    CHECK(watched.expired());
}

TEST_CASE_FIXTURE(Fixture, "entries are used again, so that a lease costs no allocation")
{
    constexpr int at_once = 10;
    std::vector<Lease> leases;
    leases.reserve(at_once);
    const auto issue_and_return = [&] {
        for (int i = 0; i < at_once; ++i)
            leases.push_back(book->issue());
        leases.clear();
    };

    issue_and_return();
    CHECK(allocations_of([&] {
              for (int i = 0; i < 100; ++i)
                  issue_and_return();
          }) == 0);
    CHECK(returned == 101 * at_once);
}

TEST_CASE_FIXTURE(Fixture, "shares may be dropped on any thread")
{
    constexpr int threads = 4;
    constexpr int rounds = 500;
    std::deque<std::thread> running;
    for (int t = 0; t < threads; ++t)
        running.emplace_back([this] {
            for (int i = 0; i < rounds; ++i) {
                Lease mine = book->issue();
                std::thread other; // every now and then the last share is somebody else's
                if (i % 50 == 0)
                    other = std::thread{[copy = mine]() mutable { copy = Lease{}; }};
                mine = Lease{};
                if (other.joinable())
                    other.join();
            }
        });
    for (auto& thread : running)
        thread.join();
    CHECK(returned == threads * rounds);
}

TEST_SUITE_END();

} // namespace usher::lease_test
