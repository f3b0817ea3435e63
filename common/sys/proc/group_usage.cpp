// SPDX-License-Identifier: MIT
#include "common/sys/proc/group_usage.hpp"

#include "common/sys/proc/proc_stat.hpp"

#include <algorithm>

#include <unistd.h>

namespace usher::sys {

namespace {

void add(GroupUsage& usage, const ProcStat& stat)
{
    // sysconf(3): both are constants of the kernel.
    const auto ticks_per_second = static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
    const auto page_size = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    usage.cpu += std::chrono::milliseconds{stat.cpu_ticks * 1'000 / ticks_per_second};
    usage.memory += stat.resident_pages * page_size;
}

} // namespace

std::map<pid_t, GroupUsage> usage_of_groups(const std::vector<pid_t>& groups)
{
    std::map<pid_t, GroupUsage> result;
    for (const auto& stat : all_proc_stats())
        if (std::ranges::find(groups, stat.group) != groups.end())
            add(result[stat.group], stat);
    return result;
}

GroupUsage usage_of_this()
{
    GroupUsage usage;
    if (const auto stat = proc_stat_of(::getpid()))
        add(usage, *stat);
    return usage;
}

} // namespace usher::sys
