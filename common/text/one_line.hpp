// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace usher {

/// Words of others made fit for one line of the log: a blank for each control character, those of
/// UTF-8 included, so that nothing in it can look like another line or steer a terminal.  Cut short
/// behind `longest` bytes, never inside a character of UTF-8.
[[nodiscard]] std::string on_one_line(std::string_view text, std::size_t longest = 200);

/// The same with control characters, quotes and backslashes escaped as in JSON.
[[nodiscard]] std::string printable(std::string_view text, std::size_t longest = 80);

/// `printable(text)` in double quotes.
[[nodiscard]] std::string quote(std::string_view text);

/// All of `text` as it would stand between the quotes of printable JSON.
[[nodiscard]] std::string escape(std::string_view text);

} // namespace usher
