// SPDX-License-Identifier: MIT
#include "common/sys/process/oom_kills.hpp"

#include <filesystem>
#include <fstream>

namespace usher::sys {

std::optional<OomKills> count_oom_kills(const std::string& folder)
{
    namespace fs = std::filesystem;
    std::error_code error;
    for (fs::path place{folder}; !place.empty() && fs::exists(place / "cgroup.procs", error);
         place = place.parent_path()) {
        const auto counter = place / "memory.events";
        if (const auto count = read_oom_kills(counter))
            return OomKills{.counter = counter, .count = *count};
    }
    const std::string counter{machine_oom_counter};
    if (const auto count = read_oom_kills(counter))
        return OomKills{.counter = counter, .count = *count};
    return std::nullopt;
}

std::optional<std::uint64_t> read_oom_kills(const std::string& counter)
{
    std::ifstream file{counter};
    std::string name;
    for (std::uint64_t count = 0; file >> name >> count;)
        if (name == "oom_kill")
            return count;
    return std::nullopt;
}

} // namespace usher::sys
