// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

namespace usher::test {

/// Between these lines of docs/dialects.md is the table of programs, and nothing else.
inline constexpr std::string_view program_table_begin = "<!-- table of programs: begin -->\n";
inline constexpr std::string_view program_table_end = "<!-- table of programs: end -->\n";

/// The listed programs as a table in Markdown, one line for each.
[[nodiscard]] std::string program_table();

} // namespace usher::test
