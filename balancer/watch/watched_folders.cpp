// SPDX-License-Identifier: MIT
#include "balancer/watch/watched_folders.hpp"

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
    auto& folder = folders_[watch];
    folder.path = path;
    return folder;
}

WatchedFolders::Meaning WatchedFolders::look(const sys::InotifyEvent& event)
{
    if ((event.mask & IN_Q_OVERFLOW) != 0)
        return {.changed = std::string{many_files}, .is_all_lost = true};
    const auto found = folders_.find(event.watch);
    if (found == folders_.end())
        return {};
    if ((event.mask & IN_IGNORED) != 0) { // the folder is gone
        folders_.erase(found);
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
    std::vector<int> gone;
    for (auto& [watch, folder] : folders_) {
        if (folder.path != path && !folder.path.starts_with(path + "/"))
            continue;
        folder.all = false;
        if (folder.names.empty()) // nothing in it is watched by its name
            gone.push_back(watch);
    }
    for (const int watch : gone)
        folders_.erase(watch);
    return gone;
}

} // namespace usher
