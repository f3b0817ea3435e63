// SPDX-License-Identifier: MIT
#include "balancer/events/recent_events.hpp"

#include "balancer/events/event_bus.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <iterator>
#include <string>
#include <vector>

namespace usher::recent_events_test {

TEST_SUITE_BEGIN("recent_events");

TEST_CASE("whatever workers say pushes out nothing that happened, and the order is kept")
{
    const Event talk[] = {{.kind = EventKind::message, .message = "said"},
                          {.kind = EventKind::output, .message = "said"},
                          {.kind = EventKind::note, .message = "said", .worker = 7}};
    RecentEvents recent;
    recent.add({.kind = EventKind::exit, .message = "exit"});
    for (std::size_t i = 0; i < 2 * RecentEvents::most_events; ++i) {
        if (i == 2 * RecentEvents::most_events - 2)
            recent.add({.kind = EventKind::gave_up, .message = "gave up"});
        recent.add(talk[i % std::size(talk)]);
    }
    recent.add({.kind = EventKind::note, .message = "of the master"});
    recent.add({.kind = EventKind::output, .message = std::string(RecentEvents::most_bytes, 'x')});

    const std::vector<Event> events{recent.events().begin(), recent.events().end()};
    REQUIRE(events.size() == 4);
    CHECK(events[0].message == "exit");
    CHECK(events[1].message == "gave up");
    CHECK(events[2].message == "of the master");
    CHECK(events[3].kind == EventKind::output);
}

TEST_CASE("what is said stands among what happens")
{
    RecentEvents recent;
    for (const auto* const text : {"1", "3", "5"}) {
        recent.add({.kind = EventKind::exit, .message = text});
        recent.add({.kind = EventKind::message, .message = std::to_string(std::stoi(text) + 1)});
    }
    std::string order;
    for (const auto& event : recent.events())
        order += event.message;
    CHECK(order == "123456");
}

TEST_CASE("the last events are kept, the oldest first")
{
    RecentEvents recent;
    for (std::size_t i = 0; i < RecentEvents::most_events + 7; ++i)
        recent.add({.kind = EventKind::exit, .message = std::to_string(i)});
    const auto events = recent.events();
    CHECK(events.size() == RecentEvents::most_events);
    CHECK(events.front().message == "7");
    CHECK(events.back().message == std::to_string(RecentEvents::most_events + 6));
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
    const auto event = bus.recent().front();
    CHECK(event.message == "ready");
    CHECK(event.time >= before);
    CHECK(event.time <= std::chrono::system_clock::now());
}

TEST_SUITE_END();

} // namespace usher::recent_events_test
