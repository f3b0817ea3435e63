// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace usher::sys {

/// How many processes the kernel has killed because memory ran out, and for whom it counts them.
struct OomKills {
    std::string counter; ///< the file
    std::uint64_t count = 0;
};

/// The kills in the cgroup (version 2) `folder` or, where memory is not counted there, in the
/// nearest one above; else, and with an empty `folder`, on the whole machine.  Nothing if the
/// kernel tells none of them.
[[nodiscard]] std::optional<OomKills> count_oom_kills(const std::string& folder);

/// The same of a file that was found before.
[[nodiscard]] std::optional<std::uint64_t> read_oom_kills(const std::string& counter);

/// That of the machine, as such a file.
inline constexpr std::string_view machine_oom_counter = "/proc/vmstat";

} // namespace usher::sys
