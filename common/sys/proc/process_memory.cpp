// SPDX-License-Identifier: MIT
#include "common/sys/proc/process_memory.hpp"

#include "common/sys/syscall.hpp"

#include <fstream>
#include <string>

namespace usher::sys {

std::error_code proportional_set_size(pid_t pid, std::uint64_t& bytes)
{
    std::ifstream file{"/proc/" + std::to_string(pid) + "/smaps_rollup"};
    if (!file)
        return last_error();

    std::uint64_t kib = 0;
    for (std::string word; file >> word;)
        if (word == "Pss:" && file >> kib) {
            bytes = kib * 1024;
            return {};
        }
    // A process that is ending has no memory left.
    return std::make_error_code(std::errc::no_such_process);
}

} // namespace usher::sys
