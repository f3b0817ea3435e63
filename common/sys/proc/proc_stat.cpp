// SPDX-License-Identifier: MIT
#include "common/sys/proc/proc_stat.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

namespace usher::sys {

namespace {

namespace fs = std::filesystem;

/// The process that an entry of /proc is of; 0 if it is of none.
pid_t process_of(std::string_view entry) noexcept
{
    pid_t pid = 0;
    const char* const end = entry.data() + entry.size();
    const auto [rest, error] = std::from_chars(entry.data(), end, pid);
    return error == std::errc{} && rest == end ? pid : 0;
}

/// Takes the next word off `rest` as a number; false if it is none.
template <typename Number>
bool take(std::string_view& rest, Number& number) noexcept
{
    const auto size = std::min(rest.find(' '), rest.size());
    const auto error = std::from_chars(rest.data(), rest.data() + size, number).ec;
    rest.remove_prefix(std::min(size + 1, rest.size()));
    return error == std::errc{};
}

bool skip(std::string_view& rest, int words) noexcept
{
    for (; words > 0 && !rest.empty(); --words)
        rest.remove_prefix(std::min(rest.find(' '), rest.size() - 1) + 1);
    return words == 0;
}

} // namespace

std::optional<ProcStat> parse_proc_stat(std::string_view text)
{
    ProcStat stat;
    // `pid (name) state ppid pgrp …`, and the name may have parentheses and line ends in it.
    const auto name = text.find('(') + 1;
    const auto end = text.rfind(") ");
    if (name == 0 || end == text.npos || end < name)
        return std::nullopt;
    auto head = text.substr(0, name - 1);
    auto rest = text.substr(end + 2);
    stat.name = text.substr(name, end - name);
    if (!take(head, stat.pid) || rest.empty())
        return std::nullopt;
    stat.state = rest.front();

    std::uint64_t user = 0;
    std::uint64_t kernel = 0;
    // The fields' numbers in the manual: 3 state, 5 pgrp, 14 utime, 15 stime, 24 rss.
    if (!skip(rest, 2) || !take(rest, stat.group) || !skip(rest, 8) || !take(rest, user) ||
        !take(rest, kernel) || !skip(rest, 8) || !take(rest, stat.resident_pages))
        return std::nullopt;
    stat.cpu_ticks = user + kernel;
    return stat;
}

std::optional<ProcStat> proc_stat_of(pid_t pid)
{
    std::ifstream file{"/proc/" + std::to_string(pid) + "/stat"};
    return parse_proc_stat(std::string{std::istreambuf_iterator<char>{file}, {}});
}

std::vector<ProcStat> all_proc_stats()
{
    std::vector<ProcStat> stats;
    std::error_code error;
    fs::directory_iterator place{"/proc", error};
    for (; !error && place != fs::directory_iterator{}; place.increment(error)) {
        const auto pid = process_of(place->path().filename().native());
        if (pid == 0)
            continue;
        if (auto stat = proc_stat_of(pid); stat && !stat->is_zombie())
            stats.push_back(std::move(*stat));
    }
    std::ranges::sort(stats, {}, &ProcStat::pid);
    return stats;
}

} // namespace usher::sys
