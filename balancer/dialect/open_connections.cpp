// SPDX-License-Identifier: MIT
#include "balancer/dialect/open_connections.hpp"

#include "balancer/dialect/process_family.hpp"
#include "common/async/helper_thread.hpp"

#include <algorithm>
#include <charconv>
#include <exception>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <system_error>

#include <sys/stat.h>

namespace asio = boost::asio;

namespace usher {

namespace {

namespace fs = std::filesystem;

using Inodes = std::set<ino_t>;

fs::path proc(pid_t process, const char* name)
{
    return fs::path{"/proc"} / std::to_string(process) / name;
}

template <typename Number>
Number to_number(std::string_view text, int base = 10)
{
    Number number{};
    std::from_chars(text.data(), text.data() + text.size(), number, base);
    return number;
}

/// Adds the sockets a process has open; false if we may not look.
bool add_sockets(pid_t process, Inodes& sockets)
{
    constexpr std::string_view prefix = "socket:[";
    std::error_code error;
    const fs::directory_iterator entries{proc(process, "fd"), error};
    if (error)
        return error == std::errc::no_such_file_or_directory; // it has just ended
    for (const auto& entry : entries) {
        const auto target = fs::read_symlink(entry.path(), error).string();
        if (error == std::errc::permission_denied)
            return false;
        if (!error && target.starts_with(prefix))
            sockets.insert(to_number<ino_t>(std::string_view{target}.substr(prefix.size())));
    }
    return true;
}

/// The words of a line, one after the other.
class Words {
public:
    explicit Words(std::string_view line) : rest_{line} {}

    std::string_view next()
    {
        rest_.remove_prefix(std::min(rest_.find_first_not_of(' '), rest_.size()));
        const auto word = rest_.substr(0, rest_.find(' '));
        rest_.remove_prefix(word.size());
        return word;
    }

    void skip(int count)
    {
        while (count-- > 0)
            next();
    }

private:
    std::string_view rest_;
};

/// How many of `sockets` are connections in /proc/net/tcp or tcp6 whose local port is in `ports`.
std::optional<std::size_t> count_tcp(const char* table, const std::set<std::uint16_t>& ports,
                                     const Inodes& sockets)
{
    std::ifstream in{table};
    std::string line;
    if (!std::getline(in, line)) // the head
        return std::nullopt;
    std::size_t count = 0;
    while (std::getline(in, line)) {
        Words words{line};
        words.skip(1);
        const auto local = words.next();
        words.skip(1);
        const auto state = words.next();
        if (state == "0A" || state == "06") // LISTEN; TIME_WAIT, which no process has
            continue;
        const auto port = to_number<std::uint16_t>(local.substr(local.rfind(':') + 1), 16);
        if (!ports.contains(port))
            continue;
        words.skip(5);
        count += sockets.contains(to_number<ino_t>(words.next())) ? 1U : 0U;
    }
    return count;
}

/// The same for /proc/net/unix: an accepted socket has the path of its listener.
std::optional<std::size_t> count_unix(const std::set<std::string, std::less<>>& paths,
                                      const Inodes& sockets)
{
    constexpr unsigned listens = 0x10000; // __SO_ACCEPTCON
    std::ifstream in{"/proc/net/unix"};
    std::string line;
    if (!std::getline(in, line))
        return std::nullopt;
    std::size_t count = 0;
    while (std::getline(in, line)) {
        Words words{line};
        words.skip(3);
        const auto flags = to_number<unsigned>(words.next(), 16);
        words.skip(2);
        const auto inode = to_number<ino_t>(words.next());
        if ((flags & listens) == 0 && paths.contains(words.next()))
            count += sockets.contains(inode) ? 1U : 0U;
    }
    return count;
}

} // namespace

OpenConnections::OpenConnections(const std::vector<sys::SocketAddress>& listeners,
                                 const std::vector<int>& given)
{
    for (const auto& listener : listeners)
        if (listener.family() == AF_UNIX)
            paths_.emplace(listener.path());
        else
            ports_.insert(listener.port());
    for (const int fd : given) {
        struct stat status {};
        if (::fstat(fd, &status) == 0)
            given_.insert(status.st_ino);
    }
}

std::optional<std::size_t> OpenConnections::count(pid_t process) const
{
    Inodes sockets;
    for (const pid_t member : family_of(process))
        if (!add_sockets(member, sockets))
            return std::nullopt;
    std::erase_if(sockets, [this](ino_t inode) { return given_.contains(inode); });
    if (sockets.empty())
        return 0; // nothing to look up in long tables

    std::size_t sum = 0;
    if (!ports_.empty()) {
        const auto ipv4 = count_tcp("/proc/net/tcp", ports_, sockets);
        if (!ipv4)
            return std::nullopt;
        sum += *ipv4 + count_tcp("/proc/net/tcp6", ports_, sockets).value_or(0); // no IPv6 here
    }
    if (!paths_.empty()) {
        const auto local = count_unix(paths_, sockets);
        if (!local)
            return std::nullopt;
        sum += *local;
    }
    return sum;
}

asio::awaitable<std::optional<std::size_t>>
OpenConnections::count(pid_t process, asio::steady_timer& deadline) const
{
    auto look = [open = *this, process] { return open.count(process); };
    try {
        const auto answer = co_await on_helper_thread(std::move(look), deadline);
        co_return answer.value_or(std::nullopt);
    } catch (const std::exception&) { // no thread, or the loop is to end
        co_return std::nullopt;
    }
}

} // namespace usher
