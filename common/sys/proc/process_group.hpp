// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

namespace usher::sys {

/// A process of a process group.
struct GroupMember {
    pid_t pid = 0;
    std::string name; ///< of its program, as the kernel keeps it: 15 bytes, whatever they are
};

/// Who lives in the process group `group` besides its leader, the lowest pid first; nobody where
/// /proc cannot be read.  Asks for each process of the machine, which takes milliseconds where
/// there are thousands.
[[nodiscard]] std::vector<GroupMember> members_of_group(pid_t group);

} // namespace usher::sys
