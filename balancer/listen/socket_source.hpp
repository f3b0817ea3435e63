// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/listen/host_addresses.hpp"
#include "balancer/listen/inherited_sockets.hpp"

namespace usher {

/// Where the sockets of `listen` come from.
struct SocketSource {
    InheritedSockets inherited{}; ///< if there is one it is taken, or else one is opened
    HostAddresses hosts{};
};

} // namespace usher
