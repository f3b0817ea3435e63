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
        throw;
    }
}

} // namespace usher
