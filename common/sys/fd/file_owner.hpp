// SPDX-License-Identifier: MIT
#pragma once

#include <optional>

#include <sys/types.h>

namespace usher::sys {

/// Whose a file shall be; what is not set stays as it is.
struct FileOwner {
    std::optional<uid_t> user;
    std::optional<gid_t> group;

    [[nodiscard]] explicit operator bool() const noexcept { return user || group; }

    friend bool operator==(const FileOwner&, const FileOwner&) = default;
};

} // namespace usher::sys
