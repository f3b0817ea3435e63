// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <set>
#include <utility>

#include <sys/types.h>

namespace usher {

/// The children of this process that somebody started and will reap; all others are orphans it
/// was given.  One for the process, as the kernel's list of its children is.
class OwnChildren {
public:
    [[nodiscard]] static OwnChildren& of_process()
    {
        static OwnChildren instance;
        return instance;
    }

    void add(pid_t pid) { pids_.insert(pid); }

    /// `pid` was reaped.
    void remove(pid_t pid)
    {
        pids_.erase(pid);
        if (on_remove_)
            on_remove_();
    }

    [[nodiscard]] bool contains(pid_t pid) const { return pids_.contains(pid); }

    /// Has `handler` called after each remove(); an empty one ends that.
    void on_remove(std::function<void()> handler) { on_remove_ = std::move(handler); }

private:
    std::set<pid_t> pids_;
    std::function<void()> on_remove_;
};

} // namespace usher
