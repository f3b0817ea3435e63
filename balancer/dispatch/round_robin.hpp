// SPDX-License-Identifier: MIT
#pragma once

#include <boost/dynamic_bitset.hpp>

#include <cstddef>
#include <optional>

namespace usher {

/// The policy: strict turns in slot order.  A slot that is not eligible when its turn comes is
/// passed over and owed nothing.
class RoundRobin {
public:
    /// The slot whose turn it is, of those that are eligible; the next turn is another's.  Nothing
    /// if there is none, and then the turn stays.
    [[nodiscard]] std::optional<std::size_t>
    take_turn(const boost::dynamic_bitset<>& eligible) noexcept
    {
        auto slot = next_ > 0 ? eligible.find_next(next_ - 1) : eligible.npos;
        if (slot == eligible.npos)
            slot = eligible.find_first();
        if (slot == eligible.npos)
            return std::nullopt;
        next_ = slot + 1;
        return slot;
    }

private:
    std::size_t next_ = 0;
};

} // namespace usher
