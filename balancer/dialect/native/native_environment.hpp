// SPDX-License-Identifier: MIT
#pragma once

#include "common/wire/environment.hpp"

#include <map>
#include <string>

namespace usher {

/// Adds what a native worker finds in its environment: the numbers of its descriptors.
inline void add_native(std::map<std::string, std::string>& environment, int handoff, int control,
                       int scoreboard)
{
    namespace env = wire::env;
    environment[env::protocol] = std::to_string(env::protocol_version);
    environment[env::handoff_fd] = std::to_string(handoff);
    environment[env::control_fd] = std::to_string(control);
    environment[env::scoreboard_fd] = std::to_string(scoreboard);
}

} // namespace usher
