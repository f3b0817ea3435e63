// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <string>

namespace usher::test {

/// The versions of Node that are tested, whichever is installed.
inline constexpr std::array node_versions{18, 20, 22, 24};

/// The program of a version, of Deno; throws std::runtime_error if `scripts/install-deps test` did
/// not bring it.
[[nodiscard]] std::string node_program(int version = 20);
[[nodiscard]] std::string deno_program();
/// std::runtime_error if it fails.
[[nodiscard]] std::string output_of(const std::string& command);

} // namespace usher::test
