// SPDX-License-Identifier: MIT
#pragma once

namespace usher::sys {

/// Opens /dev/null in place of each of the descriptors 0, 1 and 2 that is closed.
///
/// Call it first in main(): otherwise a socket may get such a number, and what is meant for
/// standard error is sent to a client.  Throws std::system_error.
void open_standard_descriptors();

/// Whether there is a descriptor `number`.
[[nodiscard]] bool is_open(int number) noexcept;

} // namespace usher::sys
