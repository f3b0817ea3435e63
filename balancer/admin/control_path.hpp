// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace usher {

/// Where a control socket may be of which nobody has said where it is.
struct ControlPlace {
    std::string path;
    std::optional<uid_t> user{}; ///< whose master may answer there, besides root's and our own

    friend bool operator==(const ControlPlace&, const ControlPlace&) = default;
};

/// What says where to look: variables, of which null is one that is not set, and a user.
struct ControlSurroundings {
    const char* runtime_folder; ///< $XDG_RUNTIME_DIR
    const char* sudo_user;      ///< $SUDO_UID, which sudo(8) sets: whoever has called it
    uid_t user;                 ///< whom this process runs as

    [[nodiscard]] static ControlSurroundings of_this_process();
};

/// Where a master has its control socket, and where one is looked for first:
/// $XDG_RUNTIME_DIR/usher.sock, or /run/usher.sock where that is not set.
[[nodiscard]] std::string default_control_path();

/// Where one is looked for, in this order: at the default place; then, since sudo and cron leave
/// the variable out, in the folder that a login has made for this user, or for whoever has called
/// sudo; and where a service of the system has it.
[[nodiscard]] std::vector<ControlPlace>
control_places(const ControlSurroundings& surroundings = ControlSurroundings::of_this_process());

} // namespace usher
