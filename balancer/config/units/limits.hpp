// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>

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
inline constexpr Range max_queue_range{1, 65'535};
inline constexpr Range node_window_range{1, 1024};
inline constexpr Range max_connections_range{0, 4'294'967'295};
inline constexpr Range max_memory_range{0, 4'294'967'295}; ///< as a number of bytes
inline constexpr Range start_attempts_range{1, 1'000'000};
inline constexpr Range expect_range{200, 599}; ///< of final HTTP statuses
inline constexpr std::size_t longest_probe_path = 1'024;
inline constexpr Range give_up_after_range{0, 1'000'000};

inline constexpr Range max_surge_range{0, 1024};
inline constexpr Range max_unavailable_range{0, 1024};
inline constexpr Range max_old_generations_range{1, 64};

inline constexpr Range nice_range{-20, 19};
inline constexpr Range oom_score_adj_range{-1000, 1000};
inline constexpr Range cpu_range{0, 8191}; ///< the most that Linux can be built for

inline constexpr std::int64_t largest_account_id = 4'294'967'294; ///< one more means "unchanged"
inline constexpr std::int64_t largest_amount = std::numeric_limits<std::int64_t>::max();
inline constexpr Range max_files_range{1, 1'000};
inline constexpr Range max_size_range{1'024, 4'294'967'295}; ///< as a number of bytes
inline constexpr std::uint64_t largest_byte_size = 1ULL << 40;

inline constexpr unsigned largest_mode = 0777; ///< of a socket file

inline constexpr std::size_t longest_pool_name = 64;
inline constexpr std::size_t longest_listener_name = 255;  ///< as systemd has it
inline constexpr std::size_t deepest_nesting = 64;         ///< of arrays and objects in a file
inline constexpr std::size_t largest_file = 1024UL * 1024; ///< bytes
inline constexpr std::size_t longest_message = 4UL * 1024 * 1024; ///< to a program, in bytes

/// Names of environment variables that begin so belong to usher.
inline constexpr std::string_view reserved_env_prefix = "USHER_";

} // namespace usher
