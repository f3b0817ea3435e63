// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace usher {

/// The longest duration a user may write.  Far below what std::chrono can hold in nanoseconds, so
/// that adding one to a clock's `now()` never overflows.
inline constexpr std::chrono::hours longest_duration{365 * 24};

/// Reads a whole number with its unit: "500ms", "30s", "2m", "1h", "1d".
///
/// Throws std::invalid_argument with one sentence that names the remedy.
[[nodiscard]] std::chrono::milliseconds parse_duration(std::string_view text);

/// Writes `duration` as parse_duration() reads it, in the largest unit that is exact.
[[nodiscard]] std::string format_duration(std::chrono::milliseconds duration);

} // namespace usher
