// SPDX-License-Identifier: MIT
#include "common/sys/proc/process_group.hpp"

#include "common/sys/proc/proc_stat.hpp"

#include <utility>

namespace usher::sys {

std::vector<GroupMember> members_of_group(pid_t group)
{
    std::vector<GroupMember> members;
    for (auto& stat : all_proc_stats())
        if (stat.group == group && stat.pid != group)
            members.push_back({.pid = stat.pid, .name = std::move(stat.name)});
    return members;
}

} // namespace usher::sys
