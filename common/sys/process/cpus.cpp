// SPDX-License-Identifier: MIT
#include "common/sys/process/cpus.hpp"

#include "common/sys/process/own_cgroup.hpp"

#include <algorithm>
#include <fstream>
#include <limits>
#include <thread>

#include <sys/syscall.h>
#include <unistd.h>

namespace usher::sys {

namespace {

constexpr unsigned word_bits = std::numeric_limits<unsigned long>::digits;

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

std::vector<unsigned> own_cpus()
{
    // The kernel refuses a mask that is shorter than its own; 8192 is the most it is built for.
    std::vector<unsigned long> mask(8192 / word_bits);
    if (::syscall(SYS_sched_getaffinity, 0, mask.size() * sizeof(unsigned long), mask.data()) < 0)
        return {};

    std::vector<unsigned> cpus;
    for (unsigned cpu = 0; cpu < mask.size() * word_bits; ++cpu)
        if ((mask[cpu / word_bits] & 1UL << cpu % word_bits) != 0)
            cpus.push_back(cpu);
    return cpus;
}

std::vector<unsigned long> make_cpu_mask(std::span<const unsigned> cpus)
{
    std::vector<unsigned long> mask;
    for (const unsigned cpu : cpus) {
        if (cpu / word_bits >= mask.size())
            mask.resize(cpu / word_bits + 1);
        mask[cpu / word_bits] |= 1UL << cpu % word_bits;
    }
    return mask;
}

} // namespace usher::sys
