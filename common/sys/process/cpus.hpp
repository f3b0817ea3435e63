// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <span>
#include <vector>

namespace usher::sys {

/// The CPUs this process may use, at least 1: its affinity mask (sched_getaffinity(2)), and the
/// CPU quota of its cgroup rounded up (`cpu.max`, or `cpu.cfs_quota_us` of version 1; every
/// ancestor counts).
[[nodiscard]] unsigned usable_cpus();

/// The CPU quota of the cgroup `folder` and its parents, rounded up to whole CPUs; 0 if there is
/// none.
[[nodiscard]] unsigned cgroup_cpus(std::filesystem::path folder);

/// The numbers of the CPUs this process may run on, in order; none if the kernel does not tell.
[[nodiscard]] std::vector<unsigned> own_cpus();

/// A mask for sched_setaffinity(2), as long as it must be; empty if there are no CPUs.
[[nodiscard]] std::vector<unsigned long> make_cpu_mask(std::span<const unsigned> cpus);

} // namespace usher::sys
