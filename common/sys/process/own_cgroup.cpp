// SPDX-License-Identifier: MIT
#include "common/sys/process/own_cgroup.hpp"

#include <cstddef>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <string_view>

#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace usher::sys {

namespace {

std::string text_of(const char* file)
{
    std::ifstream in{file};
    return {std::istreambuf_iterator<char>{in}, {}};
}

/// The kernel writes blanks, line ends and backslashes of a path as \ooo.
std::string unescape(std::string_view text)
{
    std::string result;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\\' && i + 3 < text.size()) {
            result += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 +
                                        (text[i + 3] - '0'));
            i += 3;
        } else {
            result += text[i];
        }
    }
    return result;
}

/// Where a tree of cgroups is mounted, and which part of it.
struct Mount {
    std::string root;
    std::string point;
};

/// `36 35 0:30 /root /point options [tag]... - cgroup2 source options`
std::optional<Mount> parse_mount(const std::string& line)
{
    const auto type = line.find(" - cgroup2 ");
    std::istringstream fields{line.substr(0, type)};
    std::string id, parent, device, root, point;
    if (type == std::string::npos || !(fields >> id >> parent >> device >> root >> point))
        return std::nullopt;
    return Mount{.root = unescape(root), .point = unescape(point)};
}

/// `path` seen from `root`; nothing if it does not lie there.
std::optional<std::string_view> below(std::string_view path, std::string_view root)
{
    if (root == "/")
        return path == "/" ? "" : path;
    if (!path.starts_with(root))
        return std::nullopt;
    path.remove_prefix(root.size());
    if (!path.empty() && path.front() != '/')
        return std::nullopt;
    return path;
}

bool has_mark(const std::string& folder, const char* name) noexcept
{
    char value = 0;
    return ::getxattr(folder.c_str(), name, &value, 1) == 1 && value == '1';
}

} // namespace

std::string own_cgroup()
{
    return find_own_cgroup(text_of("/proc/self/cgroup"), text_of("/proc/self/mountinfo"));
}

std::string find_own_cgroup(const std::string& cgroups, const std::string& mounts)
{
    constexpr std::string_view version_2 = "0::";
    std::istringstream groups{cgroups};
    for (std::string group; std::getline(groups, group);) {
        if (!group.starts_with(version_2))
            continue;
        std::istringstream entries{mounts};
        for (std::string entry; std::getline(entries, entry);) {
            const auto mount = parse_mount(entry);
            const auto path =
                mount ? below(std::string_view{group}.substr(version_2.size()), mount->root)
                      : std::nullopt;
            if (path)
                return mount->point + std::string{*path};
        }
    }
    return {};
}

bool is_delegated(const std::string& folder) noexcept
{
    if (folder.empty())
        return false;
    if (has_mark(folder, "trusted.delegate") || has_mark(folder, "user.delegate"))
        return true;
    // Root may write everywhere, which says nothing.  Moving a process takes the second.
    const auto may_write = [](const std::string& path) {
        return ::faccessat(AT_FDCWD, path.c_str(), W_OK, AT_EACCESS) == 0;
    };
    return ::geteuid() != 0 && may_write(folder) && may_write(folder + "/cgroup.procs");
}

} // namespace usher::sys
