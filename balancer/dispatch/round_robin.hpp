// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/dispatch/slot_set.hpp"

#include <cstddef>
#include <optional>

namespace usher {

/// The policy: strict turns in slot order.  A slot that is not eligible when its turn comes is
/// passed over and owed nothing.
class RoundRobin {
public:
    /// The slot whose turn it is, of those that are eligible; the next turn is another's.  Nothing
    /// if there is none, and then the turn stays.
    [[nodiscard]] std::optional<std::size_t> take_turn(const SlotSet& eligible) noexcept
    {
        const auto slot = eligible.first_from(next_);
        if (slot)
            next_ = *slot + 1;
        return slot;
    }

private:
    std::size_t next_ = 0;
};

} // namespace usher
