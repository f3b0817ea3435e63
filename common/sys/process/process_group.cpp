// SPDX-License-Identifier: MIT
#include "common/sys/process/process_group.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string_view>
#include <system_error>

#include <unistd.h>

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

/// Nothing if it has ended: a zombie has nothing left to do.
std::optional<GroupMember> look_at(pid_t pid)
{
    std::ifstream file{"/proc/" + std::to_string(pid) + "/stat"};
    const std::string text{std::istreambuf_iterator<char>{file}, {}};
    // `pid (name) state ...`, and the name may have parentheses and line ends in it.
    const auto name = text.find('(') + 1;
    const auto end = text.rfind(") ");
    if (name == 0 || end == std::string::npos || end + 2 >= text.size())
        return std::nullopt;
    const char state = text[end + 2];
    if (state == 'Z' || state == 'X')
        return std::nullopt;
    return GroupMember{.pid = pid, .name = text.substr(name, end - name)};
}

} // namespace

std::vector<GroupMember> members_of_group(pid_t group)
{
    std::vector<GroupMember> members;
    std::error_code error;
    fs::directory_iterator place{"/proc", error};
    for (; !error && place != fs::directory_iterator{}; place.increment(error)) {
        const auto pid = process_of(place->path().filename().native());
        if (pid == 0 || pid == group || ::getpgid(pid) != group)
            continue;
        if (auto member = look_at(pid))
            members.push_back(std::move(*member));
    }
    std::ranges::sort(members, {}, &GroupMember::pid);
    return members;
}

} // namespace usher::sys
