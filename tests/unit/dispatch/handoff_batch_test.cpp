// SPDX-License-Identifier: MIT
#include "balancer/dispatch/handoff_batch.hpp"

#include "tests/support/fake_worker.hpp"
#include "tests/support/fds.hpp"
#include "tests/support/no_fd_leak.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <vector>

namespace usher::handoff_batch_test {

using namespace usher::test;

namespace {

struct Fixture : NoFdLeak {
    HandoffBatch batch;

    void push(std::uint64_t count)
    {
        for (std::uint64_t id = batch.size() + 1, last = batch.size() + count; id <= last; ++id)
            batch.push(open_null(), record_of(id));
    }

    std::vector<std::uint64_t> ids() const
    {
        std::vector<std::uint64_t> result;
        for (std::size_t i = 0; i < batch.size(); ++i)
            result.push_back(batch.record(i).id);
        return result;
    }
};

using Ids = std::vector<std::uint64_t>;

} // namespace

TEST_SUITE_BEGIN("handoff_batch");

TEST_CASE_FIXTURE(Fixture, "what is new waits, until it is meant for a slot")
{
    push(2);
    CHECK(batch.has_waiting());
    CHECK(batch.is_waiting(0));
    CHECK_FALSE(batch.slot_of(0));

    batch.assign(0, 7);
    CHECK_FALSE(batch.is_waiting(0));
    CHECK(batch.slot_of(0) == 7U);
    CHECK(batch.has_waiting());
    batch.assign(1, 0);
    CHECK_FALSE(batch.has_waiting());
}

TEST_CASE_FIXTURE(Fixture, "a packet has what is meant for its slot, in order")
{
    push(5);
    for (const std::size_t index : {0U, 2U, 4U})
        batch.assign(index, 1);
    batch.assign(1, 2);

    const auto& packet = batch.packet_for(1);
    const auto read = wire::HandoffPacket::parse(packet.bytes());
    REQUIRE(read);
    REQUIRE(read->count() == 3);
    for (std::size_t i = 0; i < 3; ++i) {
        CHECK(read->record(i) == batch.record(2 * i));
        CHECK(packet.fds()[i] == batch.fd(2 * i));
    }
    CHECK(batch.packet_for(2).count() == 1);
    CHECK(batch.packet_for(3).count() == 0);
}

TEST_CASE_FIXTURE(Fixture, "what was sent is closed, and the rest stays in its order")
{
    push(4);
    for (std::size_t i = 0; i < 3; ++i)
        batch.assign(i, i % 2);
    batch.settle(1, true);
    batch.settle(0, false);
    const int sent = batch.fd(1);
    CHECK(is_open(sent));

    batch.close_sent();
    CHECK_FALSE(is_open(sent));
    CHECK((ids() == Ids{1, 3, 4}));
    for (std::size_t i = 0; i < 3; ++i) {
        CHECK(batch.is_waiting(i));
        CHECK(is_open(batch.fd(i)));
    }
}

TEST_CASE_FIXTURE(Fixture, "a batch is full with 64 and can be filled again")
{
    for (int round = 0; round < 2; ++round) {
        push(HandoffBatch::capacity);
        CHECK(batch.is_full());
        for (std::size_t i = 0; i < batch.size(); ++i)
            batch.assign(i, i % 3);
        for (const std::size_t slot : {0U, 1U, 2U})
            batch.settle(slot, true);
        batch.close_sent();
        CHECK(batch.is_empty());
        CHECK_FALSE(batch.has_waiting());
    }
}

TEST_CASE_FIXTURE(Fixture, "what is in a batch closes with it")
{
    push(3);
    batch.assign(1, 0);
    SUBCASE("when it is cleared")
    {
        batch.clear();
        CHECK(batch.is_empty());
        CHECK_FALSE(batch.has_waiting());
    }
    SUBCASE("at the end of its scope") {}
}

TEST_SUITE_END();

} // namespace usher::handoff_batch_test
