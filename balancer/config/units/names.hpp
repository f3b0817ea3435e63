// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>

namespace usher {

/// A value and how the configuration calls it.
template <typename Value>
struct Named {
    Value value;
    std::string_view name;
};

/// All values there are, in the order in which messages list them.
template <typename Value, std::size_t count>
using Names = std::array<Named<Value>, count>;

template <typename Value, std::size_t count>
[[nodiscard]] constexpr std::optional<Value> value_of(const Names<Value, count>& names,
                                                      std::string_view name) noexcept
{
    for (const auto& entry : names)
        if (entry.name == name)
            return entry.value;
    return std::nullopt;
}

template <typename Value, std::size_t count>
[[nodiscard]] constexpr std::string_view name_of(const Names<Value, count>& names,
                                                 Value value) noexcept
{
    for (const auto& entry : names)
        if (entry.value == value)
            return entry.name;
    return {};
}

/// `"a", "b" or "c"` of a range of Named.
template <typename All>
[[nodiscard]] std::string choice_of(const All& names)
{
    std::string text;
    std::size_t left = std::size(names);
    for (const auto& entry : names)
        text.append(1, '"')
            .append(entry.name)
            .append(--left > 1 ? "\", "
                    : left > 0 ? "\" or "
                               : "\"");
    return text;
}

} // namespace usher
