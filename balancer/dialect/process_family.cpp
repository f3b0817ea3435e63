// SPDX-License-Identifier: MIT
#include "balancer/dialect/process_family.hpp"

#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

namespace usher {

std::vector<pid_t> family_of(pid_t process)
{
    namespace fs = std::filesystem;
    std::vector<pid_t> family{process};
    for (std::size_t i = 0; i < family.size(); ++i) {
        std::error_code error;
        for (const auto& task :
             fs::directory_iterator{"/proc/" + std::to_string(family[i]) + "/task", error}) {
            std::ifstream children{task.path() / "children"};
            for (pid_t child = 0; children >> child;)
                family.push_back(child);
        }
    }
    return family;
}

} // namespace usher
