// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace usher::wire {

/// How deep the arrays and objects in `text`, which is JSON, are nested; of what is not, at least
/// as deep as a parser gets before it sees that.
///
/// For those who sent it may be hostile: nlohmann's parser can tell as well, by a callback, but
/// walks a whole array at the end of each object in it then.
[[nodiscard]] constexpr std::size_t json_depth(std::string_view text) noexcept
{
    std::size_t depth = 0;
    std::size_t deepest = 0;
    bool quoted = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (quoted && c == '\\')
            ++i;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted && (c == '[' || c == '{'))
            deepest = std::max(deepest, ++depth);
        else if (!quoted && (c == ']' || c == '}') && depth > 0)
            --depth;
    }
    return deepest;
}

} // namespace usher::wire
