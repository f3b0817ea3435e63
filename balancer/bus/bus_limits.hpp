// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>

/// What docs/worker-protocol.md promises of the bus.
namespace usher {

inline constexpr std::size_t longest_bus_payload = 64UL * 1024;
inline constexpr std::size_t longest_bus_line = longest_bus_payload + 4UL * 1024;
inline constexpr std::size_t deepest_bus_line = 64;
inline constexpr std::size_t longest_bus_id = 64;
inline constexpr std::size_t longest_store_key = 255;

inline constexpr std::size_t most_patterns = 1000;       ///< of one member
inline constexpr std::size_t most_pattern_words = 4000;  ///< of all of these
inline constexpr std::size_t most_open_questions = 1000; ///< that one member has asked

inline constexpr std::chrono::milliseconds default_request_timeout{5'000};
inline constexpr std::chrono::milliseconds longest_request_timeout{3'600'000};

} // namespace usher
