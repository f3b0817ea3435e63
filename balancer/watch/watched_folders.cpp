// SPDX-License-Identifier: MIT
#include "balancer/watch/watched_folders.hpp"

#include <algorithm>
#include <utility>

#include <sys/inotify.h>

namespace usher {

namespace {

constexpr std::string_view many_files = "so much that not all is known";

} // namespace

std::string path_in(const std::string& folder, std::string_view name)
{
    if (folder == ".")
        return std::string{name};
    return folder + (folder.ends_with('/') ? "" : "/") + std::string{name};
}

WatchedFolders::Folder& WatchedFolders::at(int watch, const std::string& path)
{
    auto found = folders_.find(watch);
    if (found != folders_.end() && found->second.path == path)
        return found->second;
    Folder moved; // known by another path so far
    if (found != folders_.end()) {
        moved = found->second;
        remove(found);
    }
    moved.path = path;
    watches_.emplace(path, watch);
    return folders_[watch] = std::move(moved);
}

void WatchedFolders::remove(std::map<int, Folder>::iterator folder)
{
    const auto [first, last] = watches_.equal_range(folder->second.path);
    const auto same =
        std::find_if(first, last, [&](const auto& entry) { return entry.second == folder->first; });
    if (same != last)
        watches_.erase(same);
    folders_.erase(folder);
}

WatchedFolders::Meaning WatchedFolders::look(const sys::InotifyEvent& event)
{
    if ((event.mask & IN_Q_OVERFLOW) != 0)
        return {.changed = std::string{many_files}, .is_all_lost = true};
    const auto found = folders_.find(event.watch);
    if (found == folders_.end())
        return {};
    if ((event.mask & IN_IGNORED) != 0) { // the folder is gone
        remove(found);
        return {};
    }
    const auto& folder = found->second;
    const auto path = path_in(folder.path, event.name);
    const bool is_named = folder.names.contains(event.name);
    if (event.name.empty() || (!is_named && (!folder.all || rules_.ignores(path))))
        return {};
    if ((event.mask & IN_ISDIR) == 0)
        return {.changed = path};
    Meaning meaning;
    if ((event.mask & (IN_CREATE | IN_MOVED_TO)) != 0)
        meaning.new_folder = path;
    if ((event.mask & IN_MOVED_FROM) != 0)
        meaning.changed = path;
    meaning.gone = forget_below(path); // they would go on to tell, by a path that is not theirs
    return meaning;
}

std::vector<int> WatchedFolders::forget_below(const std::string& path)
{
    std::vector<int> below;
    const auto [first, last] = watches_.equal_range(path);
    for (auto entry = first; entry != last; ++entry)
        below.push_back(entry->second);
    const auto prefix = path + "/";
    for (auto entry = watches_.lower_bound(prefix);
         entry != watches_.end() && entry->first.starts_with(prefix); ++entry)
        below.push_back(entry->second);

    std::vector<int> gone;
    for (const int watch : below) {
        const auto folder = folders_.find(watch);
        folder->second.all = false;
        if (!folder->second.names.empty()) // something in it is watched by its name
            continue;
        gone.push_back(watch);
        remove(folder);
    }
    return gone;
}

} // namespace usher
