// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/config.hpp"
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

    /// Adds the sockets that `config` asks for; see SocketSource and open_listeners().
    std::vector<ListeningSocket>& open(const ListenConfig& config, unsigned backlog,
                                       SocketSource& source, SocketUse use,
                                       const std::vector<sys::SocketAddress>& held = {});
};

} // namespace usher
