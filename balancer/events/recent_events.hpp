// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/events/event.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <iterator>
#include <vector>

namespace usher {

/// The last events of many in a bounded memory.  What workers and their programs say and ask for is
/// kept apart: however much that is, it pushes out nothing that happened.
class RecentEvents {
public:
    /// Of each of the two.
    static constexpr std::size_t most_events = 1'000;
    static constexpr std::size_t most_bytes = 256UL * 1024; ///< of messages

    void add(const Event& event) { (is_said(event) ? said_ : happened_).add(++last_, event); }

    /// All of them, the oldest first.
    [[nodiscard]] std::vector<Event> events() const
    {
        std::vector<Entry> entries;
        std::ranges::merge(said_.entries, happened_.entries, std::back_inserter(entries), {},
                           &Entry::number, &Entry::number);
        std::vector<Event> result;
        std::ranges::transform(entries, std::back_inserter(result), &Entry::event);
        return result;
    }

private:
    struct Entry {
        std::uint64_t number;
        Event event;
    };

    struct Ring {
        std::deque<Entry> entries;
        std::size_t bytes = 0;

        void add(std::uint64_t number, const Event& event)
        {
            entries.push_back({number, event});
            bytes += event.message.size();
            while (entries.size() > most_events || (bytes > most_bytes && entries.size() > 1)) {
                bytes -= entries.front().event.message.size();
                entries.pop_front();
            }
        }
    };

    [[nodiscard]] static bool is_said(const Event& event) noexcept
    {
        return event.kind == EventKind::message || event.kind == EventKind::output ||
               ((event.kind == EventKind::note || event.kind == EventKind::listening) &&
                event.worker != 0);
    }

    Ring happened_;
    Ring said_;
    std::uint64_t last_ = 0;
};

} // namespace usher
