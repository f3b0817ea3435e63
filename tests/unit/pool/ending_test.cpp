// SPDX-License-Identifier: MIT
#include "balancer/pool/ending.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <vector>

namespace usher::ending_test {

using usher::Ending;

namespace {

enum class Event { pool_started, pool_ended, operation_begun, operation_ended, stop };

constexpr Event events[]{Event::pool_started, Event::pool_ended, Event::operation_begun,
                         Event::operation_ended, Event::stop};

struct History {
    Ending ending;
    int pools = 0;
    int operations = 0;
    int found = 0;

    /// False if it cannot happen.
    bool happen(Event event)
    {
        switch (event) {
        case Event::pool_started:
            if (!ending.may_start())
                return false;
            ++pools;
            ending.on_pool_started();
            break;
        case Event::pool_ended:
            if (pools == 0)
                return false;
            --pools;
            ending.on_pool_ended();
            break;
        case Event::operation_begun:
            ++operations;
            ending.on_operation_begun();
            break;
        case Event::operation_ended:
            if (operations == 0)
                return false;
            --operations;
            ending.on_operation_ended();
            break;
        case Event::stop:
            ending.stop();
            break;
        }
        return true;
    }
};

void follow(const History& history, std::size_t depth, std::size_t& histories)
{
    ++histories;
    if (depth == 0)
        return;
    for (const auto event : events) {
        auto next = history;
        if (!next.happen(event))
            continue;
        const bool is_empty = next.pools == 0 && next.operations == 0;
        if (next.ending.find()) {
            REQUIRE(is_empty);
            REQUIRE(++next.found == 1); // once
        }
        REQUIRE(next.ending.is_over() == (next.found == 1));
        REQUIRE((!is_empty || next.ending.is_over()));
        if (next.ending.is_over() || next.ending.is_stopping())
            REQUIRE_FALSE(next.ending.may_start());
        follow(next, depth - 1, histories);
    }
}

} // namespace

TEST_CASE("the end is found once, when neither a pool nor an operation is left, whatever the order")
{
    std::size_t histories = 0;
    History history;
    history.happen(Event::pool_started);
    follow(history, 7, histories);
    CHECK(histories > 1'000);
}

} // namespace usher::ending_test
