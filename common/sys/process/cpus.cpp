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

/// The quota in one folder's cpu.max ("QUOTA PERIOD" or "max PERIOD", in microseconds), or as
/// version 1 has it, where -1 is none.
unsigned quota_of(const std::filesystem::path& folder)
{
    std::ifstream file{folder / "cpu.max"};
    std::ifstream quota_file{folder / "cpu.cfs_quota_us"};
    std::ifstream period_file{folder / "cpu.cfs_period_us"};
    long quota = 0;
    long period = 0;
    const bool is_known = file >> quota >> period || (quota_file >> quota && period_file >> period);
    return is_known && quota > 0 && period > 0 ? static_cast<unsigned>((quota - 1) / period + 1)
                                               : 0; // "max" is no number
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
    // Of both versions: where they are used side by side, either may have the CPUs.
    unsigned result = affinity;
    for (const auto& folder : {own_cgroup(), own_cgroup("cpu")})
        if (const unsigned quota = cgroup_cpus(folder); quota != 0)
            result = std::min(result, quota);
    return std::max(1U, result);
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
