// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
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

/// `"a", "b" or "c"`.
template <typename Value, std::size_t count>
[[nodiscard]] std::string choice_of(const Names<Value, count>& names)
{
    std::string text;
    for (std::size_t i = 0; i < count; ++i)
        text.append(i == 0          ? "\""
                    : i + 1 < count ? ", \""
                                    : " or \"")
            .append(names[i].name)
            .append("\"");
    return text;
}

} // namespace usher
