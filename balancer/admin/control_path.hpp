// SPDX-License-Identifier: MIT
#pragma once

#include <string>

namespace usher {

/// Where the control socket is if nobody says otherwise: $XDG_RUNTIME_DIR/usher.sock, or
/// /run/usher.sock where that is not set.
[[nodiscard]] std::string default_control_path();

} // namespace usher
