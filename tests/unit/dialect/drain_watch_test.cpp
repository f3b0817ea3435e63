// SPDX-License-Identifier: MIT
#include "balancer/dialect/drain_watch.hpp"

#include <doctest/doctest.h>

namespace usher::drain_watch_test {

using namespace std::chrono_literals;

namespace {

constexpr DrainWatch::Clock::time_point start{};

} // namespace

TEST_SUITE_BEGIN("drain_watch");

TEST_CASE("the first look is due at once, the next ones ever later up to the longest interval")
{
    DrainWatch watch{start};
    CHECK(watch.next() == start);

    auto now = start;
    for (const auto pause : {10ms, 20ms, 40ms, 80ms, 160ms, 320ms, 500ms, 500ms}) {
        watch.on_look(now, now);
        CHECK(watch.next() == now + pause);
        now = watch.next();
    }
}

TEST_CASE("what takes long is done more rarely, within limits")
{
    DrainWatch watch{start};
    watch.on_look(start, start + 10ms);
    CHECK(watch.next() == start + 10ms + 1s);
    watch.on_look(start, start + 3s);
    CHECK(watch.next() == start + 3s + DrainWatch::longest_pause);
}

TEST_SUITE_END();

} // namespace usher::drain_watch_test
