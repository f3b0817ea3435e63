// SPDX-License-Identifier: MIT
#pragma once

#include <string>

namespace usher::test {

/// Runs a command of the shell and returns what it writes to its standard output.  Throws
/// std::runtime_error if it fails.
[[nodiscard]] std::string output_of(const std::string& command);

} // namespace usher::test
