// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/store/store.hpp"

#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <string>

namespace usher {

/// Changes that wait to be written to a file: those of each member in their order, members in
/// turn, and of each no more than it may.  So one that floods its own has neither room nor time of
/// the others.
class StoreQueue {
public:
    /// Of one member; a disk may hang.
    static constexpr std::size_t most_changes = 16'384;
    static constexpr std::size_t most_bytes = 4UL * 1024 * 1024;

    struct Job {
        Store::Command command;
        std::function<void(Store::Answer)> done;

        /// About what it takes.
        [[nodiscard]] std::size_t bytes() const noexcept
        {
            constexpr std::size_t each = 128;
            return command.key.size() + command.value.size() + each;
        }
    };

    /// False if its owner has too many already.
    [[nodiscard]] bool has_room(const std::string& owner) const;

    void push(Job job);

    /// The next one; there must be one.
    [[nodiscard]] Job pop();

    [[nodiscard]] bool is_empty() const noexcept { return turns_.empty(); }
    void clear() noexcept;

private:
    struct Waiting {
        std::deque<Job> jobs{};
        std::size_t bytes = 0;
    };

    std::map<std::string, Waiting> waiting_; ///< by the owner
    std::deque<std::string> turns_;          ///< whose turn is next, of those in waiting_
};

} // namespace usher
