// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/resolved_config.hpp"
#include "balancer/events/event.hpp"

#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace usher {

/// A program that is to be told of an event.
struct Hook {
    std::string name; ///< "on.exit"
    std::vector<std::string> command;
    std::shared_ptr<const ResolvedPool> pool;
    Event event;
};

/// Decides which hooks of a pool run, which wait, and which are not run, since too many wait.
/// However often workers die, no more than a few processes come of it.
class HookQueue {
public:
    static constexpr std::size_t most_running = 2;
    static constexpr std::size_t most_waiting = 100;

    /// False: it is not run.
    [[nodiscard]] bool add(Hook hook)
    {
        if (waiting_.size() == most_waiting)
            return false;
        waiting_.push_back(std::move(hook));
        return true;
    }

    /// The next one, if it may run now; on_ended() follows.
    [[nodiscard]] std::optional<Hook> begin()
    {
        if (waiting_.empty() || running_ == most_running)
            return std::nullopt;
        auto hook = std::move(waiting_.front());
        waiting_.pop_front();
        ++running_;
        return hook;
    }

    void on_ended() noexcept { --running_; }

    /// Forgets those that wait; how many.
    [[nodiscard]] std::size_t drop() noexcept { return std::exchange(waiting_, {}).size(); }

    [[nodiscard]] bool is_idle() const noexcept { return running_ == 0 && waiting_.empty(); }

private:
    std::deque<Hook> waiting_;
    std::size_t running_ = 0;
};

} // namespace usher
