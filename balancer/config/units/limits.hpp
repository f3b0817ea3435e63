// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

namespace usher {

/// The numbers a user may write, both ends included.
struct Range {
    std::int64_t least;
    std::int64_t most;

    [[nodiscard]] constexpr bool contains(std::int64_t number) const noexcept
    {
        return least <= number && number <= most;
    }
};

inline constexpr Range workers_range{1, 1024};
inline constexpr Range backlog_range{1, 65'535};

inline constexpr std::int64_t largest_account_id = 4'294'967'294; ///< one more means "unchanged"

inline constexpr std::size_t deepest_nesting = 64;         ///< of arrays and objects in a file
inline constexpr std::size_t largest_file = 1024UL * 1024; ///< bytes
inline constexpr std::size_t longest_message = 4UL * 1024 * 1024; ///< to a program, in bytes

} // namespace usher
