// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/listen/host_addresses.hpp"
#include "balancer/listen/inherited_sockets.hpp"
#include "balancer/listen/listening_socket.hpp"

#include <utility>
#include <vector>

namespace usher {

/// Where the sockets of `listen` come from.
struct SocketSource {
    InheritedSockets inherited{};
    HostAddresses hosts{};

    /// Those for `config` that we were started with, or else new ones; see open_listeners().
    [[nodiscard]] std::vector<ListeningSocket>
    open(const ListenConfig& config, unsigned backlog, SocketUse use = SocketUse::listen,
         const std::vector<sys::SocketAddress>& held = {})
    {
        auto sockets = inherited.take(config, backlog);
        return sockets.empty() ? open_listeners(config, backlog, use, hosts, held)
                               : std::move(sockets);
    }
};

} // namespace usher
