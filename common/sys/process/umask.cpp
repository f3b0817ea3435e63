// SPDX-License-Identifier: MIT
#include "common/sys/process/umask.hpp"

#include <fstream>
#include <ios>
#include <string>

namespace usher::sys {

mode_t process_umask()
{
    std::ifstream status{"/proc/self/status"};
    mode_t mask = 022; // where there is no /proc
    for (std::string word; status >> word;)
        if (word == "Umask:") {
            status >> std::oct >> mask;
            break;
        }
    return mask;
}

} // namespace usher::sys
