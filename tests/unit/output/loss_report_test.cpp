// SPDX-License-Identifier: MIT
#include "balancer/output/loss_report.hpp"

#include <doctest/doctest.h>

namespace usher::loss_report_test {

using namespace std::chrono_literals;

TEST_SUITE_BEGIN("loss_report");

TEST_CASE("the first loss is said at once, the next ones together 10 s later")
{
    const LossReport::Clock::time_point start{1h};
    LossReport losses;
    CHECK_FALSE(losses.due());

    losses.on_loss(2);
    CHECK(losses.due() <= start);
    CHECK(losses.take(start) == 2);
    CHECK_FALSE(losses.due());

    losses.on_loss(3);
    losses.on_loss(4);
    CHECK(losses.due() == start + 10s);
    CHECK(losses.take(start + 10s) == 7);
    CHECK(losses.total() == 9);
}

TEST_CASE("a failure that cost no line is worth a report, too")
{
    LossReport losses;
    losses.on_loss(0);
    CHECK(losses.due());
}

TEST_SUITE_END();

} // namespace usher::loss_report_test
