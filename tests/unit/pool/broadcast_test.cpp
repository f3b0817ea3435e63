// SPDX-License-Identifier: MIT
#include "balancer/pool/broadcast.hpp"

#include <doctest/doctest.h>

namespace usher::broadcast_test {

TEST_SUITE_BEGIN("broadcast");

TEST_CASE("one sentence says who gets a message and who does not")
{
    Broadcast broadcast;
    CHECK_FALSE(broadcast.is_complete());
    CHECK(broadcast.text() == "no worker runs that could get it");
    broadcast.add("worker 1", Delivery::none);
    CHECK_FALSE(broadcast.is_complete());

    broadcast.add("worker 2", Delivery::sent);
    CHECK(broadcast.is_complete());
    CHECK(broadcast.text() == "sent to 1 worker");
    broadcast.add("worker 3", Delivery::held);
    broadcast.add("worker 4", Delivery::sent);
    CHECK(broadcast.is_complete());
    CHECK(broadcast.text() == "sent to 2 workers; 1 worker gets it once listening");

    broadcast.add("worker 5", Delivery::full);
    broadcast.add("worker 6", Delivery::full);
    CHECK_FALSE(broadcast.is_complete());
    CHECK(broadcast.text() ==
          "sent to 2 workers; 1 worker gets it once listening; not sent to worker 5, worker 6, "
          "where too much waits already that was not read");
}

TEST_SUITE_END();

} // namespace usher::broadcast_test
