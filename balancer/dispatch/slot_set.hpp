// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace usher {

/// Some of a pool's slots, counted from 0.
class SlotSet {
public:
    /// Room for slots up to `count`; all else allocates nothing.
    void resize(std::size_t count) { words_.resize((count + bits - 1) / bits); }

    void insert(std::size_t slot) noexcept { words_[slot / bits] |= bit_of(slot); }
    void erase(std::size_t slot) noexcept { words_[slot / bits] &= ~bit_of(slot); }
    void clear() noexcept { std::ranges::fill(words_, 0); }
    [[nodiscard]] bool is_empty() const noexcept
    {
        return std::ranges::all_of(words_, [](std::uint64_t word) { return word == 0; });
    }

    /// The first one from `slot` on, or else the first of all; nothing if there is none.
    [[nodiscard]] std::optional<std::size_t> first_from(std::size_t slot) const noexcept
    {
        const auto start = slot / bits;
        if (start < words_.size()) {
            if (const auto rest = words_[start] & ~(bit_of(slot) - 1); rest != 0)
                return start * bits + static_cast<std::size_t>(std::countr_zero(rest));
            for (auto i = start + 1; i < words_.size(); ++i)
                if (words_[i] != 0)
                    return first_in(i);
        }
        for (std::size_t i = 0; i < words_.size(); ++i)
            if (words_[i] != 0)
                return first_in(i);
        return std::nullopt;
    }

private:
    static constexpr std::size_t bits = 64;

    [[nodiscard]] static std::uint64_t bit_of(std::size_t slot) noexcept
    {
        return std::uint64_t{1} << slot % bits;
    }
    [[nodiscard]] std::size_t first_in(std::size_t word) const noexcept
    {
        return word * bits + static_cast<std::size_t>(std::countr_zero(words_[word]));
    }

    std::vector<std::uint64_t> words_;
};

} // namespace usher
