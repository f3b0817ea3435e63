// SPDX-License-Identifier: MIT
#include "balancer/watch/folder_walk.hpp"

#include "balancer/watch/watched_folders.hpp"
#include "common/sys/fd/inotify.hpp"
#include "common/text/one_line.hpp"

#include <fmt/core.h>

#include <filesystem>
#include <system_error>

namespace usher {

namespace fs = std::filesystem;

namespace {

std::string reason(const std::error_code& error)
{
    if (error == std::errc::no_space_on_device)
        return "the user's limit of inotify watches is reached; raise it (sysctl "
               "fs.inotify.max_user_watches), or ignore folders that do not matter";
    return error.message();
}

} // namespace

void FolderWalk::watch_name(int inotify, const std::string& path)
{
    const fs::path whole{path};
    const auto name = whole.filename().string();
    if (name.empty() || name == "." || name == "..")
        return; // no name that could be given to something else
    const auto folder = whole.has_parent_path() ? whole.parent_path().string() : ".";
    int watch = -1;
    if (const auto error = sys::add_folder_watch(inotify, folder, watch))
        problems.push_back(
            fmt::format("{} cannot be watched: {}: {}", quote(path), folder, reason(error)));
    else
        watches.push_back({.number = watch, .folder = folder, .name = name});
}

void FolderWalk::watch_all(int inotify, const std::string& top, const IgnoreRules& rules,
                           std::size_t room)
{
    std::vector<std::string> left{top};
    while (!left.empty()) {
        const auto folder = std::move(left.back());
        left.pop_back();
        if (room-- == 0) {
            problems.push_back(fmt::format("{} has more than {} folders, and further ones are not "
                                           "watched; ignore those that do not matter",
                                           quote(top), most_folders));
            return;
        }
        // First this, so that nothing that comes later is missed.
        int watch = -1;
        const auto error = sys::add_folder_watch(inotify, folder, watch);
        if (error == std::errc::not_a_directory) {
            has_files = true;
            continue;
        }
        if (error == std::errc::no_such_file_or_directory)
            continue; // gone meanwhile
        if (error) {
            problems.push_back(fmt::format("{} is not watched: {}", quote(folder), reason(error)));
            if (error == std::errc::no_space_on_device || error == std::errc::not_enough_memory)
                return; // so it would be for all others
            continue;
        }
        watches.push_back({.number = watch, .folder = folder});
        std::error_code unreadable;
        for (fs::directory_iterator entry{folder, unreadable}, end; !unreadable && entry != end;
             entry.increment(unreadable)) {
            auto path = path_in(folder, entry->path().filename().string());
            if (rules.ignores(path))
                continue;
            // A link to a folder is a file here: it may lead back to where it is.
            std::error_code gone;
            if (entry->symlink_status(gone).type() == fs::file_type::directory)
                left.push_back(std::move(path));
            else
                has_files = true;
        }
    }
}

} // namespace usher
