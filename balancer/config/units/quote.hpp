// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace usher {

/// `text` fit for one line of a message: control characters, quotes and backslashes escaped as in
/// JSON, and cut short behind `longest` bytes, never inside a UTF-8 character.
[[nodiscard]] std::string printable(std::string_view text, std::size_t longest = 80);

/// `printable(text)` in double quotes.
[[nodiscard]] std::string quote(std::string_view text);

} // namespace usher
