// SPDX-License-Identifier: MIT
#include "balancer/dispatch/accept_budget.hpp"

#include <doctest/doctest.h>

namespace usher::accept_budget_test {

TEST_SUITE_BEGIN("accept_budget");

TEST_CASE("a listener starts with full batches")
{
    CHECK(AcceptBudget{}.limit() == AcceptBudget::full_batch);
}

TEST_CASE("a listener that found exactly one connection takes one at a time")
{
    AcceptBudget budget;
    budget.on_batch(1, true);
    CHECK(budget.limit() == 1);
}

TEST_CASE("a listener that found several keeps its full batches")
{
    AcceptBudget budget;
    budget.on_batch(2, true);
    CHECK(budget.limit() == AcceptBudget::full_batch);
    budget.on_batch(AcceptBudget::full_batch, false);
    CHECK(budget.limit() == AcceptBudget::full_batch);
}

TEST_CASE("a calm listener looks for more every few wake-ups")
{
    AcceptBudget budget;
    budget.on_batch(1, true);

    for (unsigned i = 1; i < AcceptBudget::wakeups_between_looks; ++i) {
        budget.on_batch(1, false);
        CHECK(budget.limit() == 1);
    }
    budget.on_batch(1, false);
    CHECK(budget.limit() == AcceptBudget::full_batch);
}

TEST_CASE("a look that finds one connection calms down again, one that finds two does not")
{
    AcceptBudget budget;
    const auto wait_for_look = [&budget] {
        budget.on_batch(1, true);
        while (budget.limit() == 1)
            budget.on_batch(1, false);
    };

    wait_for_look();
    budget.on_batch(1, true);
    CHECK(budget.limit() == 1);

    wait_for_look();
    budget.on_batch(2, true);
    CHECK(budget.limit() == AcceptBudget::full_batch);
}

TEST_SUITE_END();

} // namespace usher::accept_budget_test
