// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/events/event.hpp"
#include "balancer/events/recent_events.hpp"
#include "common/text/one_line.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <utility>

namespace usher {

/// Brings each event to whoever subscribed.  One thread; never on the path of a connection.
class EventBus {
public:
    using Handler = std::function<void(const Event&)>;

    /// Has `handler` called with each event, for a scope.  The bus must outlive it; the handler
    /// must not begin or end a subscription, nor publish.
    class Subscription {
    public:
        Subscription(EventBus& bus, Handler handler)
            : bus_{&bus}, place_{bus.handlers_.insert(bus.handlers_.end(), std::move(handler))}
        {
        }
        Subscription(const Subscription&) = delete;
        Subscription& operator=(const Subscription&) = delete;
        ~Subscription() { bus_->handlers_.erase(place_); }

    private:
        EventBus* bus_;
        std::list<Handler>::iterator place_;
    };

    void publish(Event event)
    {
        event.time = std::chrono::system_clock::now();
        // Whoever's words are in it: they make no line of their own, and steer no terminal.
        event.message = on_one_line(event.message);
        recent_.add(event);
        ++counts_[static_cast<std::size_t>(event.kind)];
        for (const auto& handler : handlers_)
            handler(event);
    }

    /// How often each kind has happened.
    [[nodiscard]] std::uint64_t count(EventKind kind) const noexcept
    {
        return counts_[static_cast<std::size_t>(kind)];
    }

    /// The last ones, the oldest first.
    [[nodiscard]] const std::list<Event>& recent() const noexcept { return recent_.events(); }

private:
    std::list<Handler> handlers_;
    RecentEvents recent_;
    std::array<std::uint64_t, event_kinds> counts_{};
};

} // namespace usher
