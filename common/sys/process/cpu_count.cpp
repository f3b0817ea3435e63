// SPDX-License-Identifier: MIT
#include "common/sys/process/cpu_count.hpp"

#include "common/sys/process/cpu_set.hpp"
#include "common/sys/process/own_cgroup.hpp"

#include <algorithm>
#include <fstream>
#include <thread>

namespace usher::sys {

namespace {

/// The quota in one folder's cpu.max ("QUOTA PERIOD" or "max PERIOD", in microseconds).
unsigned quota_of(const std::filesystem::path& folder)
{
    std::ifstream file{folder / "cpu.max"};
    unsigned long quota = 0;
    unsigned long period = 0;
    const bool has_quota = file >> quota >> period && period > 0; // "max" is no number
    return has_quota ? static_cast<unsigned>((quota + period - 1) / period) : 0;
}

} // namespace

unsigned cgroup_cpus(std::filesystem::path folder)
{
    unsigned lowest = 0;
    for (; folder.has_relative_path(); folder = folder.parent_path())
        if (const unsigned quota = quota_of(folder); quota != 0)
            lowest = lowest == 0 ? quota : std::min(lowest, quota);
    return lowest;
}

unsigned usable_cpus()
{
    const auto own = static_cast<unsigned>(own_cpus().size());
    const unsigned affinity = own > 0 ? own : std::thread::hardware_concurrency();
    const unsigned quota = cgroup_cpus(own_cgroup());
    return std::max(1U, quota == 0 ? affinity : std::min(affinity, quota));
}

} // namespace usher::sys
