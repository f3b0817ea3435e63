// SPDX-License-Identifier: MIT
#include "balancer/pool/listen_places.hpp"

#include "balancer/dialect/make_intake.hpp"
#include "balancer/listen/same_address.hpp"
#include "common/text/listen_address.hpp"

#include <fmt/core.h>

#include <algorithm>

namespace usher {

ListenPlaces::ListenPlaces(const std::vector<std::shared_ptr<Pool>>& pools)
{
    for (const auto& pool : pools) {
        for (const auto& address : pool->intake().addresses())
            places_.push_back({.pool = pool->config().name, .address = address, .is_old = true});
        if (pool->intake().found() == Dialect::node)
            found_node_.insert(pool->config().name);
        for (const auto& file : pool->intake().files())
            files_.push_back(file);
        asked_for_.emplace(pool->config().name, pool->intake().asked_for());
    }
}

std::vector<UnixListeners::Wanted> ListenPlaces::find_wanted(const std::vector<ResolvedPool>& pools,
                                                             const UnixListeners& opened) const
{
    std::vector<UnixListeners::Wanted> wanted;
    for (const auto& pool : pools) {
        if (is_node(pool)) // its workers say what is opened
            continue;
        for (const auto& config : pool.listen)
            add_wanted(wanted, pool, {config, pool.dialect == Dialect::listen_fds}, opened);
    }
    return wanted;
}

std::vector<UnixListeners::Wanted>
ListenPlaces::find_held(const std::vector<ResolvedPool>& pools) const
{
    auto wanted = find_wanted(pools, {});
    for (const auto& pool : pools)
        if (const auto found = asked_for_.find(pool.name); found != asked_for_.end())
            for (const auto& asked : found->second)
                add_wanted(wanted, pool, asked, {});
    return wanted;
}

bool ListenPlaces::is_node(const ResolvedPool& pool) const
{
    return intake_kind(pool.dialect) == IntakeKind::node || found_node_.contains(pool.name);
}

void ListenPlaces::add_wanted(std::vector<UnixListeners::Wanted>& wanted, const ResolvedPool& pool,
                              const Intake::Asked& asked, const UnixListeners& opened) const
{
    const auto where = parse_listen_address(asked.config.address);
    if (where.kind != ListenAddress::Kind::unix_path)
        return;
    const auto address = sys::SocketAddress::unix_path(where.path);
    const bool is_held = std::ranges::any_of(
        places_, [&](const Place& place) { return is_same(place.address, address); });
    const auto file = std::ranges::find_if(files_, [&](const SocketFile& each) {
        return is_same(sys::SocketAddress::unix_path(each.path()), address);
    });
    if (!opened.knows(address, is_held))
        wanted.push_back({.config = asked.config,
                          .backlog = pool.backlog,
                          .held = file == files_.end() ? SocketFile{} : *file,
                          .needs_workers = asked.needs_workers,
                          .is_inherited = is_held && file == files_.end()});
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
