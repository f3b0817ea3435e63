// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

namespace usher::test {

/// How often what is linked into this program has called malloc and its kin: the linker leads those
/// calls here (--wrap).
[[nodiscard]] std::size_t malloc_count() noexcept;

} // namespace usher::test
