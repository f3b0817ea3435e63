// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include <sys/types.h>

namespace usher {

/// `process` and all that descend from it, as /proc shows them at the moment.
[[nodiscard]] std::vector<pid_t> family_of(pid_t process);

} // namespace usher
