// SPDX-License-Identifier: MIT
#include "balancer/worker/memory_patience.hpp"

#include <doctest/doctest.h>

namespace usher::memory_patience_test {

using namespace std::chrono_literals;

TEST_SUITE_BEGIN("memory_patience");

TEST_CASE("a worker that has grown with time is replaced at once, however often")
{
    MemoryPatience patience;
    for (int i = 0; i < 3; ++i) {
        CHECK_FALSE(patience.on_too_much(MemoryPatience::fresh, true));
        patience.on_replaced();
        CHECK(patience.time() == 0ms);
    }
}

TEST_CASE("one that has grown while it is fresh is replaced at once, but not its successor, too")
{
    MemoryPatience patience;
    CHECK_FALSE(patience.on_too_much(11s, true));
    CHECK(patience.time() == 0ms);
    patience.on_replaced();
    CHECK(patience.on_too_much(11s, true));
    CHECK(patience.time() == 1min);
    CHECK_FALSE(patience.on_too_much(11s, true));
}

TEST_CASE("nor is a successor to blame that comes after one that had enough")
{
    MemoryPatience patience;
    CHECK_FALSE(patience.on_too_much(11s, true));
    patience.on_replaced();
    patience.on_enough(1min);
    CHECK_FALSE(patience.on_too_much(11s, true));
    CHECK(patience.time() == 0ms);
}

TEST_CASE("fresh ones that have too much are warned of once, for all of them")
{
    MemoryPatience patience;
    CHECK(patience.on_too_much(0ms, false));
    CHECK(patience.time() == 1min);
    for (const auto age : {0ms, 1'000ms, 14'999ms, 60'000ms})
        CHECK_FALSE(patience.on_too_much(age, false));
    CHECK(patience.time() == 1min);
}

TEST_CASE("the time doubles with each replacement in vain, up to an hour")
{
    MemoryPatience patience;
    CHECK(patience.on_too_much(0ms, false));
    for (const auto expected : {2min, 4min, 8min, 16min, 32min, 60min, 60min}) {
        patience.on_replaced();
        CHECK_FALSE(patience.on_too_much(2min, false)); // the others, which wait for their turn
        CHECK(patience.on_too_much(500ms, false));
        CHECK_FALSE(patience.on_too_much(500ms, false));
        CHECK(patience.time() == expected);
    }
}

TEST_CASE("one that has had enough for as long as that ends it, a younger one does not")
{
    MemoryPatience patience;
    patience.on_enough(0ms);
    CHECK(patience.on_too_much(0ms, false));
    patience.on_enough(59s);
    CHECK(patience.time() == 1min);
    patience.on_enough(1min);
    CHECK(patience.time() == 0ms);
    CHECK(patience.on_too_much(0ms, false));
    CHECK(patience.time() == 1min);
}

TEST_SUITE_END();

} // namespace usher::memory_patience_test
