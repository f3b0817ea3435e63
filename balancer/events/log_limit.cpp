// SPDX-License-Identifier: MIT
#include "balancer/events/log_limit.hpp"

#include "common/text/counted.hpp"

#include <fmt/core.h>

namespace usher {

void LogLimit::report(std::vector<Event>& lines)
{
    for (const auto& [key, count] : counts_) {
        const auto& [pool, slot, worker, kind] = key;
        if (count.all > most)
            lines.push_back({.kind = kind,
                             .level = count.level,
                             .message = fmt::format(
                                 "pool \"{}\", worker {}: left out {} of kind {}", pool, slot,
                                 counted(count.all - most, "more line"), name_of(kind)),
                             .pool = pool,
                             .slot = slot,
                             .worker = worker});
    }
    counts_.clear();
}

std::vector<Event> LogLimit::lines_of(const Event& event, Clock::time_point now)
{
    std::vector<Event> lines;
    if (now >= end_ || event.kind == EventKind::stopped) {
        report(lines);
        end_ = now + interval;
    }
    if (event.worker != 0) {
        auto& count = counts_[{event.pool, event.slot, event.worker, event.kind}];
        count.level = event.level;
        if (++count.all > most)
            return lines;
    }
    lines.push_back(event);
    return lines;
}

} // namespace usher
