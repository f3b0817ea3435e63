// SPDX-License-Identifier: MIT
#include "common/sys/process/cpu_set.hpp"

#include <limits>

#include <sys/syscall.h>
#include <unistd.h>

namespace usher::sys {

namespace {

constexpr unsigned word_bits = std::numeric_limits<unsigned long>::digits;

} // namespace

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
