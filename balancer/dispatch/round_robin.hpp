// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <optional>

namespace usher {

/// The policy: strict turns in slot order.  A slot that is not eligible when its turn comes is
/// passed over and owed nothing.
class RoundRobin {
public:
    /// The slot whose turn it is, of `slots`, counted from 0; nothing if none is eligible.
    /// The turn passes on only with took().
    template <typename Eligible>
    [[nodiscard]] std::optional<std::size_t> pick(std::size_t slots, Eligible eligible) const
    {
        for (std::size_t i = 0, slot = next_ < slots ? next_ : 0; i < slots; ++i) {
            if (eligible(slot))
                return slot;
            slot = slot + 1 < slots ? slot + 1 : 0;
        }
        return std::nullopt;
    }

    /// `slot` was given a connection.
    void took(std::size_t slot) noexcept { next_ = slot + 1; }

private:
    std::size_t next_ = 0;
};

} // namespace usher
