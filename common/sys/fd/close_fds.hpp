// SPDX-License-Identifier: MIT
#pragma once

#include <span>

namespace usher::sys {

/// Closes every descriptor in `fds`, each neighbouring run with one close_range(2).
///
/// accept4(2) returns the lowest free number, so the descriptors of one accept batch are mostly
/// neighbours and cost one system call instead of one each.  The caller must own them all.
void close_fds(std::span<const int> fds) noexcept;

} // namespace usher::sys
