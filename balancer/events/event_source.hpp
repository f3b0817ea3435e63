// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/events/event_bus.hpp"

#include <string>
#include <utility>

namespace usher {

/// Publishes what happens to one thing: the master, a pool, a slot, a worker.
class EventSource {
public:
    /// Events belong where `origin` does; `label`, if there is one, says in the log whose they are.
    /// The bus must outlive it.
    explicit EventSource(EventBus& bus, Event origin = {}, const std::string& label = {})
        : bus_{&bus}, origin_{std::move(origin)}, before_{label.empty() ? label : label + ": "}
    {
    }

    /// `generation`, unless 0, is another one than the origin's.
    void publish(EventKind kind, log::Level level, const std::string& text,
                 unsigned generation = 0) const
    {
        auto event = origin_;
        event.kind = kind;
        if (generation != 0)
            event.generation = generation;
        event.level = level;
        event.message = before_ + text;
        bus_->publish(std::move(event));
    }

    [[nodiscard]] EventBus& bus() const noexcept { return *bus_; }

private:
    EventBus* bus_;
    Event origin_;
    std::string before_;
};

} // namespace usher
