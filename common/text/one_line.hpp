// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace usher {

/// Words of others made fit for one line of the log: a blank for each character that ends a line,
/// steers a terminal or turns the direction of what follows, and for each byte that is no UTF-8, so
/// that nothing in it can look like something else.  Cut short behind `longest` bytes, never inside
/// a character of UTF-8, with `...` in place of the rest.
[[nodiscard]] std::string on_one_line(std::string_view text,
                                      std::size_t longest = std::string_view::npos);

/// The same for JSON, which says what it said before: those characters are escaped in its strings.
[[nodiscard]] std::string json_on_one_line(std::string_view json);

/// What the log says at most of a word that is meant to be short.
inline constexpr std::size_t longest_word = 200;

/// The same with those characters, quotes and backslashes escaped as in JSON.
[[nodiscard]] std::string printable(std::string_view text, std::size_t longest = 80);

/// `printable(text)` in double quotes.
[[nodiscard]] std::string quote(std::string_view text);

/// All of `text` as it would stand between the quotes of printable JSON.
[[nodiscard]] std::string escape(std::string_view text);

} // namespace usher
