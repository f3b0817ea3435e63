// SPDX-License-Identifier: MIT
#pragma once

#include "common/sys/fd/unique_fd.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

/// The seam to libsystemd.  In a build without it everything here answers as if no service manager
/// had started this process.
namespace usher::systemd {

/// A descriptor that the service manager has passed, and how its socket unit calls it.
struct PassedDescriptor {
    sys::UniqueFd fd; ///< close-on-exec
    std::string name; ///< `FileDescriptorName=`; by default the name of the socket unit
};

/// False in a build without libsystemd.
[[nodiscard]] bool is_built_in() noexcept;

/// Tells the service manager `state`, as sd_notify(3) does, which waits where nobody reads.
/// Would-block: there is no room for it now.  NOTIFY_SOCKET is set.
[[nodiscard]] std::error_code notify(const std::string& state) noexcept;

/// sd_watchdog_enabled(3): within what time it wants to hear from this process, again and again.
[[nodiscard]] std::optional<std::chrono::microseconds> watchdog_timeout() noexcept;

/// sd_listen_fds_with_names(3): the descriptors passed to this process, which are the caller's from
/// then on; a second call finds none.
///
/// Throws std::runtime_error if the variables that announce them make no sense.
[[nodiscard]] std::vector<PassedDescriptor> take_descriptors();

} // namespace usher::systemd
