// SPDX-License-Identifier: MIT
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace usher {

/// Parses a configuration file's text.  It may have comments as in JavaScript; else it is read more
/// strictly than the library does: no key twice in one object, no nesting deeper than
/// `deepest_nesting`.  Every string of the result is valid UTF-8.
///
/// Throws ConfigError, which names `file`, line and column.
[[nodiscard]] nlohmann::json parse_json(std::string_view text, std::string_view file);

/// The line of `text`, from 1, in which the string at `pointer` stands; `text` is one that
/// parse_json() takes.  Nothing if there is no string.
[[nodiscard]] std::optional<std::size_t> line_of_string(std::string_view text,
                                                        std::string_view pointer);

/// The text of a message to the programs of workers: `text` on one line, since JSON has line ends
/// only between its parts, and otherwise as it stands.
///
/// Throws ConfigError if it is no JSON, or none that every program can be sent: too long, too deep,
/// a key twice in an object, or what a program's run-time library keeps for itself.
[[nodiscard]] std::string message_text(std::string_view text);

} // namespace usher
