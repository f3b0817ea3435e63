// SPDX-License-Identifier: MIT
#include "balancer/admin/control_path.hpp"

#include <cstdlib>

namespace usher {

std::string default_control_path()
{
    const char* const folder = std::getenv("XDG_RUNTIME_DIR");
    return folder != nullptr && *folder != '\0' ? std::string{folder} + "/usher.sock"
                                                : "/run/usher.sock";
}

} // namespace usher
