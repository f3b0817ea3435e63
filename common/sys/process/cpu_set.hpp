// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <vector>

namespace usher::sys {

/// The numbers of the CPUs this process may run on, in order; none if the kernel does not tell.
[[nodiscard]] std::vector<unsigned> own_cpus();

/// A mask for sched_setaffinity(2), as long as it must be; empty if there are no CPUs.
[[nodiscard]] std::vector<unsigned long> make_cpu_mask(std::span<const unsigned> cpus);

} // namespace usher::sys
