// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/config.hpp"
#include "balancer/listen/host_addresses.hpp"
#include "balancer/listen/listening_socket.hpp"

#include <vector>

namespace usher {

struct SocketSource;

/// Sockets that a changed configuration asks for, open but not accepted from yet.
struct ListenerChange {
    struct Added {
        ListenConfig config;
        std::vector<ListeningSocket> sockets;
    };
    std::vector<Added> added;

    /// What names in it stand for, where what they are for is opened later.
    HostAddresses names{};

    /// Adds what `config` asks for; see SocketSource.
    std::vector<ListeningSocket>& open(const ListenConfig& config, unsigned backlog,
                                       SocketSource& source, SocketUse use,
                                       const std::vector<sys::SocketAddress>& held = {});
};

} // namespace usher
