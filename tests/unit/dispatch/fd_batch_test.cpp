// SPDX-License-Identifier: MIT
#include "balancer/dispatch/fd_batch.hpp"

#include "tests/support/fds.hpp"
#include "tests/support/no_fd_leak.hpp"

#include <doctest/doctest.h>

#include <utility>

using namespace usher;
using namespace usher::test;

TEST_SUITE_BEGIN("fd_batch");

TEST_CASE_FIXTURE(NoFdLeak, "closing a batch closes all that is in it")
{
    FdBatch batch;
    auto first = open_null();
    auto second = open_null();
    const int numbers[] = {first.get(), second.get()};
    batch.push(std::move(first));
    batch.push(std::move(second));

    batch.close();
    for (const int number : numbers)
        CHECK_FALSE(is_open(number));
}

TEST_CASE_FIXTURE(NoFdLeak, "the end of the scope closes a batch")
{
    FdBatch batch;
    batch.push(open_null());
}

TEST_CASE_FIXTURE(NoFdLeak, "what is taken out stays open and the rest closes")
{
    FdBatch batch;
    auto first = open_null();
    auto second = open_null();
    auto third = open_null();
    const int numbers[] = {first.get(), second.get(), third.get()};
    batch.push(std::move(first));
    batch.push(std::move(second));
    batch.push(std::move(third));

    const auto taken = batch.take(numbers[1]);
    batch.close();
    CHECK(taken.get() == numbers[1]);
    CHECK(is_open(numbers[1]));
    CHECK_FALSE(is_open(numbers[0]));
    CHECK_FALSE(is_open(numbers[2]));
}

TEST_CASE_FIXTURE(NoFdLeak, "a batch is full with 64 and can be filled again")
{
    FdBatch batch;
    for (int round = 0; round < 2; ++round) {
        for (std::size_t i = 0; i < FdBatch::capacity; ++i) {
            CHECK_FALSE(batch.is_full());
            batch.push(open_null());
        }
        CHECK(batch.is_full());
        batch.close();
        CHECK_FALSE(batch.is_full());
    }
}

TEST_SUITE_END();
