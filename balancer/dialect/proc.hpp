// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <set>
#include <vector>

#include <sys/types.h>

/// What /proc shows of processes.
namespace usher::proc {

/// The entry `name` of `process`.
[[nodiscard]] std::filesystem::path entry(pid_t process, const char* name);

/// `process` and all that descend from it, at the moment.
[[nodiscard]] std::vector<pid_t> family_of(pid_t process);

/// By what the descriptors of other processes are known as the same files as `fds`.
[[nodiscard]] std::set<ino_t> inodes_of(const std::vector<int>& fds);

} // namespace usher::proc
