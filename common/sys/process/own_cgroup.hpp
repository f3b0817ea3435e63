// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

namespace usher::sys {

/// The folder of the cgroup (version 2) that this process is in; with `controller`, of that in the
/// tree of version 1 which has it.  Empty if none can be seen.
[[nodiscard]] std::string own_cgroup(std::string_view controller = {});

/// The same from what /proc/self/cgroup and /proc/self/mountinfo say.
[[nodiscard]] std::string find_own_cgroup(const std::string& cgroups, const std::string& mounts,
                                          std::string_view controller = {});

/// True if the cgroup `folder` was evidently left to this process, to make others below it: systemd
/// has marked it (`Delegate=yes`), or this process may write there without being root.
[[nodiscard]] bool is_delegated(const std::string& folder) noexcept;

} // namespace usher::sys
