// SPDX-License-Identifier: MIT
#pragma once

#include "common/sys/fd/unique_fd.hpp"

#include <string>
#include <system_error>

namespace usher::sys {

/// Who else than root and ourselves may change what a path means.
enum class Strangers {
    none,
    add,    ///< names that nobody has yet, as in /tmp
    change, ///< any name
};

/// Where a file is or is to be: a name in a folder that stays the same whatever others do to the
/// path.
struct Place {
    UniqueFd folder; ///< O_PATH
    std::string name;
    Strangers strangers = Strangers::none;
    bool is_magic = false; ///< a link of /proc/PID/fd, whose text is no path

    /// open(2) of the name; follows no link that others may have put there.
    [[nodiscard]] UniqueFd open(int flags, mode_t mode = 0) const noexcept;
};

/// Finds the place of `path`.  Links are followed, the last one too, if nobody else can have made
/// them; ELOOP otherwise.
[[nodiscard]] std::error_code find_place(const std::string& path, Place& out);

} // namespace usher::sys
