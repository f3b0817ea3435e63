// SPDX-License-Identifier: MIT
#include "balancer/worker/oom_ledger.hpp"

#include <doctest/doctest.h>

namespace usher::oom_ledger_test {

TEST_SUITE_BEGIN("oom_ledger");

TEST_CASE("each kill is one worker's, and who was killed beyond that somebody else has killed")
{
    OomLedger ledger;
    ledger.on_start("a", 5);
    CHECK_FALSE(ledger.claim("a", 5));
    CHECK(ledger.claim("a", 7));
    CHECK(ledger.claim("a", 7)); // two died of one blow
    CHECK_FALSE(ledger.claim("a", 7));
    CHECK(ledger.claim("a", 8));
}

TEST_CASE("what was killed before a worker's start is none of its business")
{
    OomLedger ledger;
    ledger.on_start("a", 5);
    ledger.on_start("a", 9);
    CHECK_FALSE(ledger.claim("a", 9));
    CHECK(ledger.claim("a", 10));
}

TEST_CASE("whoever starts by an older count begins no kill anew that was somebody's already")
{
    OomLedger ledger;
    ledger.on_start("a", 5);
    CHECK(ledger.claim("a", 6));
    ledger.on_start("a", 5); // read before that kill
    CHECK_FALSE(ledger.claim("a", 6));
    CHECK(ledger.claim("a", 7));
}

TEST_CASE("each counter has an account of its own, and none that nobody has begun")
{
    OomLedger ledger;
    ledger.on_start("a", 1);
    ledger.on_start("b", 0);
    CHECK_FALSE(ledger.claim("a", 1));
    CHECK(ledger.claim("b", 1));
    CHECK_FALSE(ledger.claim("c", 1));
    ledger.forget("b");
    CHECK_FALSE(ledger.claim("b", 2));
}

TEST_SUITE_END();

} // namespace usher::oom_ledger_test
