// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include <sys/types.h>

namespace usher::test {

/// A cgroup for one test, below our own; at the end of the scope all in it are killed, and it is
/// removed.
class TestCgroup {
public:
    TestCgroup();
    TestCgroup(const TestCgroup&) = delete;
    TestCgroup& operator=(const TestCgroup&) = delete;
    ~TestCgroup();

    /// False where none can be made.
    [[nodiscard]] bool is_there() const;

    [[nodiscard]] const std::string& folder() const noexcept { return folder_; }

    /// Moves the calling process into it, for a child between fork and exec.
    void enter() const;

    /// Marks it as systemd does with Delegate=yes.
    void mark_as_delegated() const;

    /// Makes it the user's, as for a session of that one's.
    void give_to(uid_t user) const;

    /// Waits until nothing is below it; false after 10 s.
    [[nodiscard]] bool becomes_bare() const;

private:
    std::string folder_; ///< empty: there is none
};

/// The folder name of the cgroup that `pid` is in.
[[nodiscard]] std::string cgroup_of(pid_t pid);

} // namespace usher::test
