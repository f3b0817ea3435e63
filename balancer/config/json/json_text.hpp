// SPDX-License-Identifier: MIT
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <string_view>

namespace usher {

/// Parses a configuration file's text, more strictly than the library does: no key twice in one
/// object, no nesting deeper than `deepest_nesting`.  Every string of the result is valid UTF-8.
///
/// Throws ConfigError, which names `file`, line and column.
[[nodiscard]] nlohmann::json parse_json(std::string_view text, std::string_view file);

} // namespace usher
