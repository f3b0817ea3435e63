// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace usher {

/// `1 connection`, `2 connections`.  A sentence around it must be right for both.
[[nodiscard]] inline std::string counted(std::uint64_t count, std::string_view thing)
{
    return std::to_string(count) + " " + std::string{thing} + (count == 1 ? "" : "s");
}

/// `slot 1`, `slots 1, 3`.
[[nodiscard]] inline std::string numbered(std::string_view thing,
                                          const std::vector<unsigned>& numbers)
{
    std::string result{thing};
    result += numbers.size() == 1 ? "" : "s";
    for (std::string_view before = " "; const unsigned number : numbers) {
        result += std::string{before} + std::to_string(number);
        before = ", ";
    }
    return result;
}

} // namespace usher
