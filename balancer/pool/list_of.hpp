// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

namespace usher {

/// `1, 2, 5`, for a sentence.
[[nodiscard]] inline std::string list_of(const std::vector<unsigned>& numbers)
{
    std::string text;
    for (const auto number : numbers)
        text += (text.empty() ? "" : ", ") + std::to_string(number);
    return text;
}

} // namespace usher
