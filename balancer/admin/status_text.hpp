// SPDX-License-Identifier: MIT
#pragma once

#include <string>

namespace usher {

/// The status, JSON as describe() makes it, as a table for people; without a final newline.
[[nodiscard]] std::string status_text(const std::string& status);

} // namespace usher
