// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

namespace usher {

/// PATH in `environment`, "NAME=value"; without it the folders where programs are.
[[nodiscard]] std::string search_path(const std::vector<std::string>& environment);

/// `program`, an absolute path, in the folder that its own was when it was named, if a link to that
/// leads elsewhere by now; without a `folder`, as it stands.
[[nodiscard]] std::string in_folder(const std::string& program, const std::string& folder);

/// The file that `program` names: itself if it has a slash, otherwise the first executable one in
/// the folders of `path`, as in PATH.  A relative path, and a relative folder, is meant from `cwd`
/// if that is not empty, because the child changes there first.
///
/// Throws std::runtime_error that says why nothing can be executed.
[[nodiscard]] std::string find_program(const std::string& program, const std::string& cwd,
                                       const std::string& path);

/// The meaning of an errno of execve(2), with the remedy where there is one.
[[nodiscard]] std::string explain_exec_error(int error);

} // namespace usher
