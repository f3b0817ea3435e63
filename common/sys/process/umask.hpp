// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

namespace usher::sys {

/// The process's umask, without changing it for a moment, which all threads would notice.
[[nodiscard]] mode_t process_umask();

} // namespace usher::sys
