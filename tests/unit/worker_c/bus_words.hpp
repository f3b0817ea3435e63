// SPDX-License-Identifier: MIT
#pragma once

#include "usher.h"

#include "tests/support/sockets.hpp"

#include <cerrno>
#include <cstdint>
#include <string>
#include <vector>

namespace usher::test {

/// An event in words, with what it has.
[[nodiscard]] inline std::string words_of(const usher_bus_event& event)
{
    static constexpr const char* kinds[] = {"",    "message", "request", "reply",  "done",
                                            "ok",  "error",   "lost",    "leader", "synced",
                                            "set", "erased",  "end"};
    std::string words = kinds[event.kind];
    const auto number = [&words](const char* name, std::uint64_t value) {
        if (value != 0)
            words += std::string{" "} + name + "=" + std::to_string(value);
    };
    const auto text = [&words](const char* name, const char* value) {
        if (value != nullptr)
            words += std::string{" "} + name + "=" + value;
    };
    number("flag", static_cast<std::uint64_t>(event.flag));
    number("id", event.id);
    number("count", event.count);
    number("revision", event.revision);
    number("timeout", event.timeout_ms);
    text("topic", event.topic);
    text("from", event.from);
    text("key", event.key);
    text("data", event.data);
    if (event.data != nullptr && std::string{event.data}.size() != event.data_size)
        words += " with a wrong size";
    text("code", event.code);
    text("reason", event.reason);
    return words;
}

/// All events that there are now, as a program's loop gets them.
[[nodiscard]] inline std::vector<std::string> events_of(usher_bus* bus)
{
    std::vector<std::string> events;
    usher_bus_event event = USHER_BUS_EVENT_INIT;
    do {
        while (usher_bus_next(bus, &event) == 0)
            events.push_back(words_of(event));
    } while (is_readable(usher_bus_fd(bus)));
    return events;
}

} // namespace usher::test
