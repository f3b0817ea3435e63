// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <string>

namespace usher {

/// Local time as RFC 3339 has it, with milliseconds: `2026-03-01T14:05:09.042+01:00`.
[[nodiscard]] std::string time_text(std::chrono::system_clock::time_point time);

} // namespace usher
