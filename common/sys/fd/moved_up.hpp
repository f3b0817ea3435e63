// SPDX-License-Identifier: MIT
#pragma once

#include "common/sys/fd/unique_fd.hpp"

namespace usher::sys {

/// The same descriptor under a number of 512 or more, close-on-exec; as it was if there is none.
///
/// For what is open only until a child has it.  The numbers that it leaves free would lie among
/// those that stay, and the connections accepted there could not be closed as one range.
[[nodiscard]] UniqueFd moved_up(UniqueFd fd) noexcept;

} // namespace usher::sys
