// SPDX-License-Identifier: MIT
#include "balancer/listen/opened_sockets.hpp"

#include "balancer/listen/same_address.hpp"

#include <utility>

namespace usher {

void OpenedSockets::open(Entry& entry, unsigned backlog, SocketSource& source, SocketUse use,
                         const std::vector<sys::SocketAddress>& held) const
{
    entry.sockets = source.inherited.take(entry.config, backlog);
    try {
        if (auto opened = source.opened.take(entry.config))
            entry.sockets.push_back(std::move(*opened));
        if (entry.sockets.empty())
            entry.sockets = open_listeners(entry.config, backlog, use, source.hosts, held);
    } catch (const AddressInUse& e) {
        for (const auto& other : entries)
            for (const auto& socket : other.sockets)
                if (overlap(socket.address, e.address()))
                    throw AddressInUse{e.address().to_string() + " is where \"" +
                                           other.config.address + "\" listens already; remove \"" +
                                           entry.config.address + "\" or that",
                                       e.address()};
        if (const auto obstacle = source.inherited.obstacle_at(e.address()); !obstacle.empty())
            throw AddressInUse{e.address().to_string() + ": the socket " + obstacle +
                                   ", which usher was started with, is in the way; make it "
                                   "listen there, or have \"listen\" say its name or its address",
                               e.address()};
        throw;
    }
}

} // namespace usher
