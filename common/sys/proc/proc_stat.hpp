// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace usher::sys {

/// What /proc/PID/stat says of a process: proc_pid_stat(5).
struct ProcStat {
    pid_t pid = 0;
    std::string name;
    char state = '?';
    pid_t group = 0;
    std::uint64_t cpu_ticks = 0; ///< in user space and in the kernel, of itself
    std::uint64_t resident_pages = 0;

    /// It has ended, and has nothing left to do.
    [[nodiscard]] bool is_zombie() const noexcept { return state == 'Z' || state == 'X'; }

    friend bool operator==(const ProcStat&, const ProcStat&) = default;
};

/// Nothing if `text` is no such line.
[[nodiscard]] std::optional<ProcStat> parse_proc_stat(std::string_view text);

/// Nothing if there is no such process, or it cannot be seen.
[[nodiscard]] std::optional<ProcStat> proc_stat_of(pid_t pid);

/// Of every process that can be seen and has not ended; sorted by pid.
[[nodiscard]] std::vector<ProcStat> all_proc_stats();

} // namespace usher::sys
