// SPDX-License-Identifier: MIT
#pragma once

#include <cstdlib>
#include <string>

namespace usher {

/// Where the control socket is if nobody says otherwise: $XDG_RUNTIME_DIR/usher.sock, or
/// /run/usher.sock where that is not set.
[[nodiscard]] inline std::string default_control_path()
{
    const char* const folder = std::getenv("XDG_RUNTIME_DIR");
    return folder != nullptr && *folder != '\0' ? std::string{folder} + "/usher.sock"
                                                : "/run/usher.sock";
}

} // namespace usher
