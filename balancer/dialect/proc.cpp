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

std::vector<pid_t> family_of(pid_t process)
{
    std::vector<pid_t> family{process};
    for (std::size_t i = 0; i < family.size(); ++i) {
        std::error_code error;
        for (const auto& task : fs::directory_iterator{entry(family[i], "task"), error}) {
            std::ifstream children{task.path() / "children"};
            for (pid_t child = 0; children >> child;)
                family.push_back(child);
        }
    }
    return family;
}

std::set<ino_t> inodes_of(const std::vector<int>& fds)
{
    std::set<ino_t> result;
    for (const int fd : fds)
        if (struct stat status{}; ::fstat(fd, &status) == 0)
            result.insert(status.st_ino);
    return result;
}

} // namespace usher::proc
