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

/// True if `name` stands in `list`, between commas.
bool contains(const std::string& list, std::string_view name)
{
    return (',' + list + ',').find(',' + std::string{name} + ',') != std::string::npos;
}

/// `36 35 0:30 /root /point options [tag]... - cgroup2 source options`, or of version 1 the tree
/// of `controller`, which stands among the options: `... - cgroup source rw,cpu,cpuacct`.
std::optional<Mount> parse_mount(const std::string& line, std::string_view controller)
{
    const auto separator = line.find(" - ");
    if (separator == std::string::npos)
        return std::nullopt;
    std::istringstream tail{line.substr(separator + 3)};
    std::string type, source, options;
    tail >> type >> source >> options;
    const bool is_meant =
        controller.empty() ? type == "cgroup2" : type == "cgroup" && contains(options, controller);
    std::istringstream fields{line.substr(0, separator)};
    std::string id, parent, device, root, point;
    if (!is_meant || !(fields >> id >> parent >> device >> root >> point))
        return std::nullopt;
    return Mount{.root = unescape(root), .point = unescape(point)};
}

/// The path in `0::/path`, or of version 1 in `4:cpu,cpuacct:/path`; nothing if it is another's.
std::optional<std::string_view> path_in(std::string_view group, std::string_view controller)
{
    const auto first = group.find(':');
    const auto second = first == std::string_view::npos ? first : group.find(':', first + 1);
    if (second == std::string_view::npos)
        return std::nullopt;
    const std::string controllers{group.substr(first + 1, second - first - 1)};
    const bool is_meant =
        controller.empty() ? group.starts_with("0::") : contains(controllers, controller);
    return is_meant ? std::optional{group.substr(second + 1)} : std::nullopt;
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

std::string own_cgroup(std::string_view controller)
{
    return find_own_cgroup(text_of("/proc/self/cgroup"), text_of("/proc/self/mountinfo"),
                           controller);
}

std::string find_own_cgroup(const std::string& cgroups, const std::string& mounts,
                            std::string_view controller)
{
    std::istringstream groups{cgroups};
    for (std::string group; std::getline(groups, group);) {
        const auto whole = path_in(group, controller);
        if (!whole)
            continue;
        std::istringstream entries{mounts};
        for (std::string entry; std::getline(entries, entry);) {
            const auto mount = parse_mount(entry, controller);
            const auto path = mount ? below(*whole, mount->root) : std::nullopt;
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
