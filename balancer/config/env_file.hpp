// SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace usher {

/// The variables of a file of lines `NAME=value`, of which a later one wins.  No shell reads it:
///
/// - A line that is blank or begins with `#` is passed over; blanks at its ends and an `export`
///   before the name, too.
/// - A value without quotes ends at the end of the line, or before ` #`; backslashes stand for
///   themselves.
/// - In single quotes everything stands for itself.
/// - In double quotes `\n`, `\r`, `\t`, `\"`, `\\`, `\$` and `` \` `` are what they are in a shell
///   or in C; any other backslash stands for itself.
/// - A value in quotes may have several lines; behind it there may be a comment.
///
/// Throws ConfigError, which names `file` and the line.
[[nodiscard]] std::map<std::string, std::string> parse_env_file(std::string_view text,
                                                                std::string_view file);

/// Reads regular files, each up to largest_file; of a name that several have, the last file wins.
/// May wait for a disk.  Throws ConfigError, also for a file that cannot be read or that root may
/// not trust.
[[nodiscard]] std::map<std::string, std::string>
read_env_files(const std::vector<std::string>& files);

/// What is wrong with `name` as the name of a variable of a worker, and the remedy; empty: nothing.
[[nodiscard]] std::string variable_name_problem(std::string_view name);

} // namespace usher
