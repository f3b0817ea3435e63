// SPDX-License-Identifier: MIT
#pragma once

#include "common/sys/fd/unique_fd.hpp"

#include <string>
#include <system_error>

namespace usher::sys {

/// A cgroup (version 2) that this process has made.  The destructor removes it if nobody lives in
/// it any more.
class Cgroup {
public:
    /// Makes the cgroup `folder`.  Throws std::system_error with the folder in its message, also if
    /// the kernel has no cgroup.kill (before Linux 5.14).
    explicit Cgroup(std::string folder);
    Cgroup(const Cgroup&) = delete;
    Cgroup& operator=(const Cgroup&) = delete;
    ~Cgroup();

    [[nodiscard]] const std::string& folder() const noexcept { return folder_; }

    /// Moves the calling process into it; async-signal-safe.
    [[nodiscard]] bool enter() const noexcept;

    /// Nobody will enter() any more.
    void close_entrance() noexcept { procs_.reset(); }

    /// Sends SIGKILL to all who live in it, and below it, whoever their parents are.
    [[nodiscard]] std::error_code kill() noexcept;

    /// Removes it and what was made below it.  False while somebody lives there.
    [[nodiscard]] bool remove() noexcept;

private:
    std::string folder_;
    UniqueFd procs_;
    UniqueFd kill_;
    bool is_gone_ = false;
};

/// Removes the cgroup `folder` and all below it, as far as nobody lives there; true if it is gone.
[[nodiscard]] bool remove_cgroup(const std::string& folder) noexcept;

} // namespace usher::sys
