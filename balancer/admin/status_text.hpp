// SPDX-License-Identifier: MIT
#pragma once

#include <string>

namespace usher {

enum class Colours { off, on };

/// The status, JSON as to_json() makes it, as a table for people; without a final newline.  With
/// colours (ECMA-48) for states, which say nothing that the words do not.
[[nodiscard]] std::string status_text(const std::string& status, Colours colours = Colours::off);

} // namespace usher
