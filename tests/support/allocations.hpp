// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

namespace usher::test {

/// How often operator new was called in this process.  Linking this replaces it.
[[nodiscard]] std::size_t allocation_count() noexcept;

/// Whether operator new throws from now on.
void fail_allocations(bool failing) noexcept;

/// How often operator new is called while `body` runs.
template <typename Body>
[[nodiscard]] std::size_t allocations_of(Body body)
{
    const auto before = allocation_count();
    body();
    return allocation_count() - before;
}

} // namespace usher::test
