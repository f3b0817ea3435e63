// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

/// What /proc says about a process.
namespace usher::test {

/// Number and target of each open descriptor, such as `socket:[4711]`.
[[nodiscard]] std::map<int, std::string> descriptors_of(pid_t pid);

[[nodiscard]] std::size_t resident_bytes(pid_t pid);

/// User and system time, of its own threads only.
[[nodiscard]] std::chrono::nanoseconds cpu_time(pid_t pid);

/// How often its threads have waited for something.  A process of which this stays the same has
/// made no system call meanwhile, if it waited all the time.
[[nodiscard]] std::size_t waits_of(pid_t pid);

[[nodiscard]] std::vector<pid_t> children_of(pid_t pid);

/// The state letter of /proc/PID/stat ('R', 'S', 'T', 'Z', ...); 0 if there is no such process.
[[nodiscard]] char state_of(pid_t pid);

/// The value of a line of /proc/PID/status, such as `Uid`, its blanks made single spaces; empty if
/// there is none.
[[nodiscard]] std::string status_of(pid_t pid, std::string_view key);

/// Soft and hard limit of a line of /proc/PID/limits, such as `Max open files`: "1024 4096".
[[nodiscard]] std::string limits_of(pid_t pid, std::string_view name);

/// The environment it was started with.
[[nodiscard]] std::map<std::string, std::string> environment_of(pid_t pid);

/// True if any process has this process group.
[[nodiscard]] bool group_exists(pid_t group);

} // namespace usher::test
