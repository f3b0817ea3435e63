// SPDX-License-Identifier: MIT
#pragma once

#include "common/sys/fd/unique_fd.hpp"

#include <cstddef>
#include <string_view>

namespace usher::sys {

/// Makes an anonymous file of `size` zero bytes that nobody can shrink or grow.
///
/// Sealed (memfd_create(2)), so that a process it is given to cannot truncate it and make our
/// next look at the mapping a SIGBUS.  `name` shows in /proc/PID/maps.
///
/// Throws std::system_error.
[[nodiscard]] UniqueFd make_sealed_memfd(const char* name, std::size_t size);

/// Makes an anonymous file that has `text`, to be read from its beginning.  Throws
/// std::system_error.
[[nodiscard]] UniqueFd make_text_memfd(const char* name, std::string_view text);

} // namespace usher::sys
