// SPDX-License-Identifier: MIT
#include "balancer/pool/worker_count.hpp"

#include <doctest/doctest.h>

namespace usher::worker_count_test {

TEST_SUITE_BEGIN("worker_count");

TEST_CASE("whoever has changed the number last is right, the configuration or people")
{
    constexpr struct {
        unsigned configured;
        unsigned scaled; ///< 0: nobody has scaled
        unsigned reloaded;
        unsigned wanted;
        bool is_scaled;
    } table[] = {
        {2, 0, 2, 2, false}, {2, 0, 3, 3, false}, {2, 4, 2, 4, true},
        {2, 4, 3, 3, false}, {2, 4, 4, 4, false}, {4, 2, 4, 2, true},
        {4, 2, 3, 3, false}, {2, 2, 2, 2, false}, {2, 2, 5, 5, false},
    };
    for (const auto& row : table) {
        CAPTURE(row.configured);
        CAPTURE(row.scaled);
        CAPTURE(row.reloaded);
        WorkerCount count{row.configured};
        if (row.scaled != 0)
            count.scale(row.scaled);
        const auto after = count.after_reload(row.reloaded);
        CHECK(after.configured() == row.reloaded);
        CHECK(after.wanted() == row.wanted);
        CHECK(after.is_scaled() == row.is_scaled);
    }
}

TEST_CASE("a reload looks back at the last configuration alone, not at those before")
{
    WorkerCount count{2};
    count.scale(4);
    count = count.after_reload(3); // the file rules
    count = count.after_reload(2);
    CHECK(count == WorkerCount{2});
    count.scale(4);
    count = count.after_reload(2).after_reload(2);
    CHECK(count.wanted() == 4);
    count.scale(2); // as configured, so nothing is left of it
    CHECK(count == WorkerCount{2});
}

TEST_SUITE_END();

} // namespace usher::worker_count_test
