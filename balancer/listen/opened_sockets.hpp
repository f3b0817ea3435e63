// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/config.hpp"
#include "balancer/listen/host_addresses.hpp"
#include "balancer/listen/inherited_sockets.hpp"
#include "balancer/listen/listening_socket.hpp"
#include "balancer/listen/unix_listeners.hpp"

#include <vector>

namespace usher {

/// Where the sockets of `listen` come from.
struct SocketSource {
    InheritedSockets inherited{}; ///< if there is one it is taken, or else one is opened
    HostAddresses hosts{};
    UnixListeners opened{}; ///< what was opened beforehand is taken, too
};

/// The sockets that the entries of `listen` ask for.
struct OpenedSockets {
    struct Entry {
        ListenConfig config;
        std::vector<ListeningSocket> sockets{};
    };
    std::vector<Entry> entries;

    /// Opens what `entry` asks for, one of `entries`.
    void open(Entry& entry, unsigned backlog, SocketSource& source, SocketUse use,
              const std::vector<sys::SocketAddress>& held = {}) const;
};

} // namespace usher
