// SPDX-License-Identifier: MIT
#pragma once

#include "tests/support/build.hpp"

#include <array>
#include <span>
#include <string>

namespace usher::test {

inline constexpr std::array every_node_version{18, 20, 22, 24};
inline constexpr std::array oldest_and_newest_node{18, 24};

/// The versions of Node that are tested: what is different in each is no matter of memory.
inline constexpr std::span<const int> node_versions =
    with_sanitizers ? std::span<const int>{oldest_and_newest_node}
                    : std::span<const int>{every_node_version};

/// The program of a version, of Deno, of Bun; throws std::runtime_error if `scripts/install-deps
/// test` did not bring it.
[[nodiscard]] std::string node_program(int version = 20);
[[nodiscard]] std::string deno_program();
[[nodiscard]] std::string bun_program();

} // namespace usher::test
