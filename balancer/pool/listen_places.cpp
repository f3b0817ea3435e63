// SPDX-License-Identifier: MIT
#include "balancer/pool/listen_places.hpp"

#include "balancer/listen/same_address.hpp"
#include "common/text/listen_address.hpp"

#include <fmt/core.h>

namespace usher {

ListenPlaces::ListenPlaces(const std::vector<std::shared_ptr<Pool>>& pools)
{
    for (const auto& pool : pools)
        for (const auto& address : pool->intake().addresses())
            places_.push_back({.pool = pool->config().name, .address = address, .is_old = true});
}

ListenerChange ListenPlaces::prepare(Pool& pool, const ResolvedPool& next, SocketSource& sockets)
{
    // Opening finds out by connecting whether somebody listens at a path, which is not for our own.
    for (const auto& listen : next.listen) {
        const auto where = parse_listen_address(listen.address);
        if (where.kind != ListenAddress::Kind::unix_path)
            continue;
        const auto wanted = sys::SocketAddress::unix_path(where.path);
        for (const auto& place : places_)
            if (place.pool != next.name && is_same(place.address, wanted))
                refuse(next.name, wanted, place);
    }
    try {
        auto change = pool.prepare(next, sockets);
        for (const auto& address : change.addresses)
            places_.push_back({.pool = next.name, .address = address, .is_old = false});
        return change;
    } catch (const AddressInUse& e) {
        for (const auto& place : places_)
            if (overlap(place.address, e.address()) && !sockets.opened.replaces(place.address))
                refuse(next.name, e.address(), place);
        throw;
    }
}

void ListenPlaces::refuse(const std::string& pool, const sys::SocketAddress& wanted,
                          const Place& place)
{
    const auto remedy =
        !place.is_old ? "is to listen there, too; remove one of them"
        : place.pool == pool
            ? fmt::format("listens there already, on {}; take that away with one reload, and add "
                          "this with a second one",
                          place.address.to_string())
            : fmt::format("still listens there; give it to \"{}\" with a second reload, after one "
                          "that takes it away",
                          pool);
    throw AddressInUse{fmt::format("{}: pool \"{}\" {}", wanted.to_string(), place.pool, remedy),
                       wanted};
}

} // namespace usher
