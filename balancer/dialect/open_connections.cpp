// SPDX-License-Identifier: MIT
#include "balancer/dialect/open_connections.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>

namespace usher {

namespace {

namespace fs = std::filesystem;

using Inodes = std::set<unsigned long>;

/// `process` and all that descend from it.
std::vector<pid_t> family_of(pid_t process)
{
    std::vector<pid_t> family{process};
    for (std::size_t i = 0; i < family.size(); ++i) {
        std::error_code error;
        const auto tasks = fs::path{"/proc"} / std::to_string(family[i]) / "task";
        for (const auto& task : fs::directory_iterator{tasks, error}) {
            std::ifstream children{task.path() / "children"};
            for (pid_t child = 0; children >> child;)
                family.push_back(child);
        }
    }
    return family;
}

/// Adds the sockets a process has open; false if we may not look.
bool add_sockets(pid_t process, Inodes& sockets)
{
    constexpr std::string_view prefix = "socket:[";
    std::error_code error;
    fs::directory_iterator entries{fs::path{"/proc"} / std::to_string(process) / "fd", error};
    if (error)
        return error == std::errc::no_such_file_or_directory; // it has just ended
    for (const auto& entry : entries) {
        const auto target = fs::read_symlink(entry.path(), error).string();
        if (error == std::errc::permission_denied)
            return false;
        unsigned long inode = 0;
        if (!error && target.starts_with(prefix)) {
            std::from_chars(target.data() + prefix.size(), target.data() + target.size(), inode);
            sockets.insert(inode);
        }
    }
    return true;
}

/// Calls `each` with the fields of each line of a table of /proc/net but the first.
template <typename Each>
bool for_each_row(const char* table, Each each)
{
    std::ifstream in{table};
    std::string line;
    if (!std::getline(in, line))
        return false;
    std::vector<std::string> fields;
    while (std::getline(in, line)) {
        std::istringstream words{line};
        fields.clear();
        for (std::string word; words >> word;)
            fields.push_back(std::move(word));
        each(fields);
    }
    return true;
}

/// Adds the connections of local port `port` in /proc/net/tcp or tcp6.
bool add_tcp(const char* table, const std::set<std::uint16_t>& ports, Inodes& connections)
{
    constexpr std::string_view listen_state = "0A";
    return for_each_row(table, [&](const std::vector<std::string>& fields) {
        if (fields.size() < 10 || fields[3] == listen_state)
            return;
        const auto colon = fields[1].rfind(':');
        const auto port = std::stoul(fields[1].substr(colon + 1), nullptr, 16);
        if (ports.contains(static_cast<std::uint16_t>(port)))
            connections.insert(std::stoul(fields[9]));
    });
}

bool add_unix(const std::set<std::string, std::less<>>& paths, Inodes& connections)
{
    constexpr unsigned long listens = 0x10000; // __SO_ACCEPTCON
    return for_each_row("/proc/net/unix", [&](const std::vector<std::string>& fields) {
        if (fields.size() >= 8 && paths.contains(fields[7]) &&
            (std::stoul(fields[3], nullptr, 16) & listens) == 0)
            connections.insert(std::stoul(fields[6]));
    });
}

} // namespace

std::optional<std::size_t> count_open_connections(pid_t process,
                                                  const std::vector<sys::SocketAddress>& listeners)
{
    Inodes sockets;
    for (const pid_t member : family_of(process))
        if (!add_sockets(member, sockets))
            return std::nullopt;

    std::set<std::uint16_t> ports;
    std::set<std::string, std::less<>> paths;
    for (const auto& listener : listeners)
        if (listener.family() == AF_UNIX)
            paths.emplace(listener.path());
        else
            ports.insert(listener.port());

    Inodes connections;
    if (!ports.empty()) {
        if (!add_tcp("/proc/net/tcp", ports, connections))
            return std::nullopt;
        add_tcp("/proc/net/tcp6", ports, connections); // not there without IPv6
    }
    if (!paths.empty() && !add_unix(paths, connections))
        return std::nullopt;
    return static_cast<std::size_t>(std::ranges::count_if(
        connections, [&](unsigned long inode) { return sockets.contains(inode); }));
}

} // namespace usher
