// SPDX-License-Identifier: MIT
#include "balancer/dialect/open_connections.hpp"

#include <algorithm>
#include <exception>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string_view>
#include <system_error>
#include <tuple>

#include <netinet/tcp.h>

namespace asio = boost::asio;

namespace usher {

namespace {

namespace fs = std::filesystem;

using Inodes = std::set<ino_t>;

/// Adds the sockets a process has open; false if we may not look, or there is too much.
bool add_sockets(proc::Walk& walk, pid_t process, Inodes& sockets)
{
    constexpr std::string_view prefix = "socket:[";
    bool is_allowed = true;
    const auto add = [&](const fs::path& descriptor) {
        std::error_code error;
        const auto target = fs::read_symlink(descriptor, error).string();
        is_allowed = error != std::errc::permission_denied;
        if (!error && target.starts_with(prefix))
            sockets.insert(std::stoul(target.substr(prefix.size())));
        return is_allowed;
    };
    const auto error = walk.visit_all(proc::entry(process, "fd"), add);
    // It may have just ended.
    return is_allowed && (!error || error == std::errc::no_such_file_or_directory ||
                          error == std::errc::no_such_process);
}

/// How many lines of a table in /proc/net are of one of `sockets`; `inode_in` takes it from a line,
/// 0 if that does not count.
std::optional<std::size_t> count_in(const char* table, const Inodes& sockets,
                                    const std::function<ino_t(const char*)>& inode_in)
{
    std::ifstream in{table};
    std::string line;
    if (!std::getline(in, line)) // the head
        return std::nullopt;
    std::size_t count = 0;
    while (std::getline(in, line))
        count += sockets.contains(inode_in(line.c_str())) ? 1U : 0U;
    return count;
}

} // namespace

OpenConnections::OpenConnections(const std::vector<sys::SocketAddress>& listeners,
                                 const std::vector<int>& given)
    : given_{proc::inodes_of(given)}
{
    set_listeners(listeners);
}

void OpenConnections::set_listeners(const std::vector<sys::SocketAddress>& listeners)
{
    ports_.clear();
    paths_.clear();
    for (const auto& listener : listeners)
        if (listener.family() == AF_UNIX)
            paths_.emplace(listener.path());
        else
            ports_.insert(listener.port());
}

/// Of a line of /proc/net/tcp or tcp6, if its local port is one of ours.
ino_t OpenConnections::tcp_inode(const char* line) const
{
    std::uint16_t port = 0;
    unsigned state = 0;
    unsigned long inode = 0;
    const int found =
        std::sscanf(line, "%*s %*[^:]:%hx %*s %x %*s %*s %*s %*s %*s %lu", &port, &state, &inode);
    const bool is_ours = found == 3 && state != TCP_LISTEN && state != TCP_TIME_WAIT &&
                         ports_.contains(port); // no process has one in TIME_WAIT
    return is_ours ? inode : 0;
}

/// The same of /proc/net/unix: an accepted socket has the path of its listener.
ino_t OpenConnections::unix_inode(const char* line) const
{
    constexpr unsigned listens = 0x10000; // __SO_ACCEPTCON
    unsigned flags = 0;
    unsigned long inode = 0;
    int path = 0; // where it begins
    const int found = std::sscanf(line, "%*s %*s %*s %x %*s %*s %lu %n", &flags, &inode, &path);
    const bool is_ours = found == 2 && (flags & listens) == 0 && paths_.contains(line + path);
    return is_ours ? inode : 0;
}

std::optional<std::size_t> OpenConnections::count(pid_t process, proc::Walk walk) const
{
    const auto family = walk.family_of(process);
    Inodes sockets;
    if (!family || !std::ranges::all_of(
                       *family, [&](pid_t member) { return add_sockets(walk, member, sockets); }))
        return std::nullopt;
    std::erase_if(sockets, [this](ino_t inode) { return given_.contains(inode); });
    if (sockets.empty())
        return 0; // nothing to look up in long tables

    const auto tcp = [this](const char* line) { return tcp_inode(line); };
    const auto unix_domain = [this](const char* line) { return unix_inode(line); };
    const auto ipv4 = ports_.empty() ? 0 : count_in("/proc/net/tcp", sockets, tcp);
    const auto ipv6 = ports_.empty() ? 0 : count_in("/proc/net/tcp6", sockets, tcp);
    const auto local = paths_.empty() ? 0 : count_in("/proc/net/unix", sockets, unix_domain);
    if (!ipv4 || !local)
        return std::nullopt;
    return *ipv4 + ipv6.value_or(0) + *local; // there may be no IPv6 here
}

std::optional<std::uint16_t> find_listening_port(pid_t process)
{
    proc::Walk walk;
    const auto family = walk.family_of(process);
    Inodes sockets;
    if (!family || !std::ranges::all_of(
                       *family, [&](pid_t member) { return add_sockets(walk, member, sockets); }))
        return std::nullopt;
    std::optional<std::uint16_t> found;
    const auto listens = [&](const char* line) -> ino_t {
        std::uint16_t port = 0;
        unsigned state = 0;
        unsigned long inode = 0;
        const int fields = std::sscanf(line, "%*s %*[^:]:%hx %*s %x %*s %*s %*s %*s %*s %lu", &port,
                                       &state, &inode);
        if (fields == 3 && state == TCP_LISTEN && sockets.contains(inode))
            found = port;
        return 0;
    };
    for (const char* const table : {"/proc/net/tcp", "/proc/net/tcp6"})
        if (!found && !sockets.empty())
            std::ignore = count_in(table, sockets, listens);
    return found;
}

asio::awaitable<std::optional<std::size_t>>
OpenConnections::count(pid_t process, ProcLooks& looks, asio::steady_timer& deadline) const
{
    auto look = [open = *this, process] { return open.count(process); };
    const auto answer = co_await looks.look(std::move(look), deadline);
    co_return answer.value_or(std::nullopt);
}

} // namespace usher
