// SPDX-License-Identifier: MIT
#pragma once

#include <string>

namespace usher {

/// Why no library can be preloaded into the program `file`: one clause with the remedy; empty if
/// nothing speaks against it.  Follows `#!` to the interpreter.
///
/// `cwd` is where the program starts, empty for here.  With `no_new_privs` a set-user-id program
/// gets no privileges, and the loader then does as it is told.
[[nodiscard]] std::string preload_obstacle(const std::string& file, const std::string& cwd,
                                           bool no_new_privs);

} // namespace usher
