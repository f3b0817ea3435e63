// SPDX-License-Identifier: MIT
#include "balancer/dialect/proc.hpp"

#include <fstream>
#include <string>
#include <system_error>

#include <sys/stat.h>

namespace usher::proc {

namespace fs = std::filesystem;

fs::path entry(pid_t process, const char* name)
{
    return fs::path{"/proc"} / std::to_string(process) / name;
}

std::set<ino_t> inodes_of(const std::vector<int>& fds)
{
    std::set<ino_t> result;
    for (const int fd : fds)
        if (struct stat status{}; ::fstat(fd, &status) == 0)
            result.insert(status.st_ino);
    return result;
}

std::optional<std::vector<pid_t>> Walk::family_of(pid_t process)
{
    std::vector<pid_t> family{process};
    for (std::size_t i = 0; i < family.size(); ++i) {
        const auto add_children = [&](const fs::path& task) {
            std::ifstream children{task / "children"};
            for (pid_t child = 0; family.size() <= limits_.processes && children >> child;)
                family.push_back(child);
            return family.size() <= limits_.processes;
        };
        const auto error = visit_all(entry(family[i], "task"), add_children);
        if (error == std::errc::too_many_files_open || family.size() > limits_.processes)
            return std::nullopt;
    }
    return family;
}

} // namespace usher::proc
