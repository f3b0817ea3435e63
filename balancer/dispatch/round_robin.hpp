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
    /// The slot whose turn it is, of those that are eligible; nothing if there is none.  The turn
    /// passes on only with took().
    [[nodiscard]] std::optional<std::size_t> pick(const SlotSet& eligible) const noexcept
    {
        return eligible.first_from(next_);
    }

    /// `slot` was given a connection.
    void took(std::size_t slot) noexcept { next_ = slot + 1; }

private:
    std::size_t next_ = 0;
};

} // namespace usher
