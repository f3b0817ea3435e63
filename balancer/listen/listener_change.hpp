// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/config.hpp"
#include "balancer/listen/host_addresses.hpp"
#include "balancer/listen/inherited_sockets.hpp"
#include "balancer/listen/listening_socket.hpp"

#include <vector>

namespace usher {

/// Where the sockets of `listen` come from.
struct SocketSource {
    InheritedSockets inherited{}; ///< if there is one it is taken, or else one is opened
    HostAddresses hosts{};
};

/// Sockets that a changed configuration asks for, open but not accepted from yet.
struct ListenerChange {
    struct Added {
        ListenConfig config;
        std::vector<ListeningSocket> sockets{};
    };
    std::vector<Added> added;

    /// What names in it stand for, where what they are for is opened later.
    HostAddresses names{};

    /// Opens what `entry` asks for, one of `added`.
    void open(Added& entry, unsigned backlog, SocketSource& source, SocketUse use,
              const std::vector<sys::SocketAddress>& held = {}) const;
};

} // namespace usher
