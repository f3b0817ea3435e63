// SPDX-License-Identifier: MIT
#include "balancer/events/recent_events.hpp"

#include "balancer/events/event_bus.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <string>

using namespace usher;

TEST_SUITE_BEGIN("recent_events");

TEST_CASE("the last events are kept, the oldest first")
{
    RecentEvents recent;
    for (std::size_t i = 0; i < RecentEvents::most_events + 7; ++i)
        recent.add({.message = std::to_string(i)});
    CHECK(recent.events().size() == RecentEvents::most_events);
    CHECK(recent.events().front().message == "7");
    CHECK(recent.events().back().message == std::to_string(RecentEvents::most_events + 6));
}

TEST_CASE("long messages leave room for fewer")
{
    RecentEvents recent;
    for (int i = 0; i < 100; ++i)
        recent.add({.message = std::string(RecentEvents::most_bytes / 10, 'x')});
    CHECK(recent.events().size() == 10);
    recent.add({.message = std::string(2 * RecentEvents::most_bytes, 'y')});
    CHECK(recent.events().size() == 1);
    recent.add({.message = "short"});
    CHECK(recent.events().size() == 1);
    CHECK(recent.events().front().message == "short");
}

TEST_CASE("the bus keeps what it publishes, with the time")
{
    EventBus bus;
    const auto before = std::chrono::system_clock::now();
    bus.publish({.kind = EventKind::ready, .message = "ready"});
    REQUIRE(bus.recent().size() == 1);
    CHECK(bus.recent().front().message == "ready");
    CHECK(bus.recent().front().time >= before);
    CHECK(bus.recent().front().time <= std::chrono::system_clock::now());
}

TEST_SUITE_END();
