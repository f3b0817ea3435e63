// SPDX-License-Identifier: MIT
#include "tests/support/process_facts.hpp"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

#include <unistd.h>

namespace usher::test {

namespace {

std::filesystem::path proc(pid_t pid)
{
    return std::filesystem::path{"/proc"} / std::to_string(pid);
}

/// The fields of /proc/PID/stat behind the name, which may hold anything: state, ppid, ...
std::istringstream stat_of(pid_t pid)
{
    std::ifstream file{proc(pid) / "stat"};
    std::string text;
    std::getline(file, text);
    const auto end = text.rfind(')');
    return std::istringstream{end == std::string::npos ? std::string{} : text.substr(end + 1)};
}

/// The first words of `text`, or all, with single spaces between them.
std::string words(const std::string& text, int most = 1'000'000)
{
    std::istringstream in{text};
    std::string result;
    for (std::string word; most-- > 0 && in >> word;)
        result += (result.empty() ? "" : " ") + word;
    return result;
}

} // namespace

std::map<int, std::string> descriptors_of(pid_t pid)
{
    std::map<int, std::string> result;
    for (const auto& entry : std::filesystem::directory_iterator{proc(pid) / "fd"}) {
        std::error_code gone;
        const auto target = std::filesystem::read_symlink(entry.path(), gone);
        if (!gone)
            result[std::stoi(entry.path().filename())] = target.string();
    }
    return result;
}

std::size_t resident_bytes(pid_t pid)
{
    std::ifstream file{proc(pid) / "statm"};
    std::size_t total = 0;
    std::size_t resident = 0;
    file >> total >> resident;
    return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

std::chrono::nanoseconds cpu_time(pid_t pid)
{
    long long total = 0;
    for (const auto& task : std::filesystem::directory_iterator{proc(pid) / "task"}) {
        std::ifstream file{task.path() / "schedstat"};
        long long on_cpu = 0;
        file >> on_cpu;
        total += on_cpu;
    }
    return std::chrono::nanoseconds{total};
}

std::size_t waits_of(pid_t pid)
{
    constexpr std::string_view name = "voluntary_ctxt_switches:";
    std::size_t total = 0;
    for (const auto& task : std::filesystem::directory_iterator{proc(pid) / "task"}) {
        std::ifstream file{task.path() / "status"};
        for (std::string line; std::getline(file, line);)
            if (line.starts_with(name))
                total += std::stoul(line.substr(name.size()));
    }
    return total;
}

std::vector<pid_t> children_of(pid_t pid)
{
    std::ifstream file{proc(pid) / "task" / std::to_string(pid) / "children"};
    std::vector<pid_t> result;
    for (pid_t child = 0; file >> child;)
        result.push_back(child);
    return result;
}

char state_of(pid_t pid)
{
    char state = 0;
    stat_of(pid) >> state;
    return state;
}

std::string status_of(pid_t pid, std::string_view key)
{
    std::ifstream file{proc(pid) / "status"};
    for (std::string line; std::getline(file, line);) {
        const auto colon = line.find(':');
        if (std::string_view{line}.substr(0, colon) == key)
            return words(line.substr(colon + 1));
    }
    return {};
}

std::string limits_of(pid_t pid, std::string_view name)
{
    std::ifstream file{proc(pid) / "limits"};
    for (std::string line; std::getline(file, line);)
        if (line.starts_with(name))
            return words(line.substr(name.size()), 2);
    return {};
}

std::map<std::string, std::string> environment_of(pid_t pid)
{
    std::ifstream file{proc(pid) / "environ"};
    std::map<std::string, std::string> result;
    for (std::string variable; std::getline(file, variable, '\0');) {
        const auto equals = variable.find('=');
        result[variable.substr(0, equals)] = variable.substr(equals + 1);
    }
    return result;
}

bool group_exists(pid_t group)
{
    return ::kill(-group, 0) == 0;
}

} // namespace usher::test
