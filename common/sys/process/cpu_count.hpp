// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>

namespace usher::sys {

/// The CPUs this process may use, at least 1: its affinity mask (sched_getaffinity(2)), and the
/// CPU quota of its cgroup rounded up (cgroup v2 `cpu.max`, every ancestor counts).
[[nodiscard]] unsigned usable_cpus();

/// The CPU quota of the cgroup v2 `folder` and its parents, rounded up to whole CPUs; 0 if there is
/// none.
[[nodiscard]] unsigned cgroup_cpus(std::filesystem::path folder);

} // namespace usher::sys
