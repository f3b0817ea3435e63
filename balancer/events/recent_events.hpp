// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/events/event.hpp"

#include <algorithm>
#include <cstddef>
#include <list>

namespace usher {

/// The last events of many in a bounded memory.  What workers and their programs say and ask for is
/// kept apart: however much that is, it pushes out nothing that happened.
class RecentEvents {
public:
    /// Of each of the two.
    static constexpr std::size_t most_events = 1'000;
    static constexpr std::size_t most_bytes = 256UL * 1024; ///< of messages

    void add(const Event& event)
    {
        auto& [count, bytes] = is_said(event) ? said_ : happened_;
        events_.push_back(event);
        ++count;
        bytes += event.message.size();
        while (count > most_events || (bytes > most_bytes && count > 1)) {
            const auto oldest = std::ranges::find(events_, is_said(event), is_said);
            --count;
            bytes -= oldest->message.size();
            events_.erase(oldest);
        }
    }

    /// All of them, the oldest first.
    [[nodiscard]] const std::list<Event>& events() const noexcept { return events_; }

private:
    struct Sum {
        std::size_t count = 0;
        std::size_t bytes = 0;
    };

    [[nodiscard]] static bool is_said(const Event& event) noexcept
    {
        return event.kind == EventKind::message || event.kind == EventKind::output ||
               ((event.kind == EventKind::note || event.kind == EventKind::listening) &&
                event.worker != 0);
    }

    std::list<Event> events_;
    Sum happened_;
    Sum said_;
};

} // namespace usher
