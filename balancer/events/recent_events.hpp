// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/events/event.hpp"

#include <cstddef>
#include <deque>

namespace usher {

/// The last events of many, the oldest first, in a bounded memory.
class RecentEvents {
public:
    static constexpr std::size_t most_events = 1'000;
    static constexpr std::size_t most_bytes = 256UL * 1024; ///< of messages

    void add(const Event& event)
    {
        events_.push_back(event);
        bytes_ += event.message.size();
        while (events_.size() > most_events || (bytes_ > most_bytes && events_.size() > 1)) {
            bytes_ -= events_.front().message.size();
            events_.pop_front();
        }
    }

    [[nodiscard]] const std::deque<Event>& events() const noexcept { return events_; }

private:
    std::deque<Event> events_;
    std::size_t bytes_ = 0;
};

} // namespace usher
