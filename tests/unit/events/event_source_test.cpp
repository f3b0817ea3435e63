// SPDX-License-Identifier: MIT
#include "balancer/events/event_source.hpp"

#include <doctest/doctest.h>

namespace usher::event_source_test {

TEST_SUITE_BEGIN("event_source");

TEST_CASE("events say where they belong, and their text whose they are")
{
    EventBus bus;
    const EventSource worker{
        bus, {.pool = "api", .slot = 2, .worker = 7, .pid = 4711, .generation = 3}, "worker 2"};
    worker.publish(EventKind::exit, log::Level::warning, "exited with 9");
    worker.publish(EventKind::note, log::Level::info, "is old", 1);

    const auto events = bus.recent();
    REQUIRE(events.size() == 2);
    const auto& exit = events.front();
    CHECK(exit.kind == EventKind::exit);
    CHECK(exit.level == log::Level::warning);
    CHECK(exit.message == "worker 2: exited with 9");
    CHECK(exit.pool == "api");
    CHECK(exit.slot == 2);
    CHECK(exit.worker == 7);
    CHECK(exit.pid == 4711);
    CHECK(exit.generation == 3);
    CHECK(events.back().generation == 1);
}

TEST_CASE("without a label the text is all")
{
    EventBus bus;
    EventSource{bus}.publish(EventKind::stopped, log::Level::info, "stopped");
    CHECK(bus.recent().front().message == "stopped");
    CHECK(bus.recent().front().pool.empty());
}

TEST_SUITE_END();

} // namespace usher::event_source_test
