// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/watch/ignore_rules.hpp"
#include "common/sys/fd/inotify.hpp"

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace usher {

/// The folders that are watched, and what it means when something happens in one.  Asks no file
/// system.
///
/// Of a path that is to be watched, the folder that it is in is watched for its name, so that it
/// may be replaced, removed or not there yet; and if it is a folder, all below it.
class WatchedFolders {
public:
    explicit WatchedFolders(IgnoreRules rules) : rules_{std::move(rules)} {}

    /// `watch` tells of all in `folder`.
    void add(int watch, const std::string& folder) { at(watch, folder).all = true; }

    /// `watch` tells of `name` in `folder`.
    void add(int watch, const std::string& folder, const std::string& name)
    {
        at(watch, folder).names.insert(name);
    }

    /// What an event means.
    struct Meaning {
        std::string changed{};    ///< path of what has changed; empty: nothing that matters
        std::string new_folder{}; ///< is to be looked through; what is in it is a change
        std::vector<int> gone{};  ///< watches that are to be ended
        bool is_all_lost = false; ///< the kernel had to drop events: look through everything
    };
    [[nodiscard]] Meaning look(const sys::InotifyEvent& event);

    [[nodiscard]] std::size_t size() const noexcept { return folders_.size(); }
    [[nodiscard]] const IgnoreRules& rules() const noexcept { return rules_; }

private:
    struct Folder {
        std::string path;
        bool all = false;
        std::set<std::string, std::less<>> names{};
    };

    [[nodiscard]] Folder& at(int watch, const std::string& path);
    void remove(std::map<int, Folder>::iterator folder);
    [[nodiscard]] std::vector<int> forget_below(const std::string& path);

    IgnoreRules rules_;
    std::map<int, Folder> folders_;                        ///< by watch
    std::multimap<std::string, int, std::less<>> watches_; ///< by path
};

/// The path of `name` in `folder`.
[[nodiscard]] std::string path_in(const std::string& folder, std::string_view name);

} // namespace usher
