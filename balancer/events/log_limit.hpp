// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/events/event.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

namespace usher {

/// Decides which events become lines of the log: so many of one kind of a worker in 10 s, and then
/// one that says how many more there were.  The event stream has them all.  Holds no clock: it is
/// told the time.
class LogLimit {
public:
    using Clock = std::chrono::steady_clock;

    static constexpr std::uint64_t most = 100;
    static constexpr std::chrono::seconds interval{10};

    /// What is to be written now that there is `event`: an event for each line.
    [[nodiscard]] std::vector<Event> lines_of(const Event& event, Clock::time_point now);

private:
    struct Count {
        std::uint64_t all = 0;
        log::Level level = log::Level::info;
    };

    void report(std::vector<Event>& lines);

    /// By pool, slot, worker and kind.
    std::map<std::tuple<std::string, unsigned, std::uint64_t, EventKind>, Count> counts_;
    Clock::time_point end_ = Clock::time_point::min();
};

} // namespace usher
