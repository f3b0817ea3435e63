// SPDX-License-Identifier: MIT
#include "balancer/pool/pool_facts.hpp"

#include <doctest/doctest.h>

namespace usher::pool_facts_test {

TEST_SUITE_BEGIN("pool_facts");

TEST_CASE("a pool serves as long as one worker is ready, and else says what becomes of it")
{
    constexpr struct {
        unsigned ready;
        unsigned coming;
        unsigned failed;
        bool is_leaving;
        std::string_view state;
    } table[] = {
        {2, 0, 0, false, "serving"},  {1, 1, 0, false, "serving"},  {1, 0, 1, false, "serving"},
        {0, 2, 0, false, "starting"}, {0, 1, 1, false, "starting"}, {0, 0, 2, false, "failed"},
        {0, 0, 1, false, "failed"}, // the other one is drained
        {0, 0, 0, false, "drained"},  {2, 0, 0, true, "stopping"},  {0, 2, 0, true, "stopping"},
        {0, 0, 2, true, "stopping"},  {0, 0, 0, true, "stopping"},
    };
    for (const auto& row : table) {
        CAPTURE(row.ready);
        CAPTURE(row.coming);
        CAPTURE(row.failed);
        CAPTURE(row.is_leaving);
        CHECK(name_of(state_of({.workers = 2,
                                .ready = row.ready,
                                .coming = row.coming,
                                .failed = row.failed,
                                .is_leaving = row.is_leaving})) == row.state);
    }
}

TEST_SUITE_END();

} // namespace usher::pool_facts_test
