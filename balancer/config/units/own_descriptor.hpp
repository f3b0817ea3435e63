// SPDX-License-Identifier: MIT
#pragma once

#include <charconv>
#include <optional>
#include <string_view>

namespace usher {

/// The number of the descriptor that `path` names, as /dev/stdout and /dev/fd/3 do: one that usher
/// was started with.  Nothing if it is any other path.
[[nodiscard]] inline std::optional<int> own_descriptor(std::string_view path) noexcept
{
    if (path == "/dev/stdout")
        return 1;
    if (path == "/dev/stderr")
        return 2;
    for (const std::string_view folder : {"/dev/fd/", "/proc/self/fd/"}) {
        if (!path.starts_with(folder))
            continue;
        path.remove_prefix(folder.size());
        int number = -1;
        const auto [end, error] = std::from_chars(path.data(), path.data() + path.size(), number);
        if (error == std::errc{} && end == path.data() + path.size() && number >= 0)
            return number;
    }
    return std::nullopt;
}

} // namespace usher
