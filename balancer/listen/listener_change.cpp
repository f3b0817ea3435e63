// SPDX-License-Identifier: MIT
#include "balancer/listen/listener_change.hpp"

#include "balancer/listen/same_address.hpp"
#include "balancer/listen/socket_source.hpp"

#include <utility>

namespace usher {

std::vector<ListeningSocket>& ListenerChange::open(const ListenConfig& config, unsigned backlog,
                                                   SocketSource& source, SocketUse use,
                                                   const std::vector<sys::SocketAddress>& held)
{
    auto sockets = source.inherited.take(config, backlog);
    try {
        if (sockets.empty())
            sockets = open_listeners(config, backlog, use, source.hosts, held);
    } catch (const AddressInUse& e) {
        for (const auto& other : added)
            for (const auto& socket : other.sockets)
                if (overlap(socket.address, e.address()))
                    throw AddressInUse{e.address().to_string() + " is where \"" +
                                           other.config.address + "\" listens already; remove \"" +
                                           config.address + "\" or that",
                                       e.address()};
        throw;
    }
    added.push_back({.config = config, .sockets = std::move(sockets)});
    return added.back().sockets;
}

} // namespace usher
