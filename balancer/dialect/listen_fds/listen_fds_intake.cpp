// SPDX-License-Identifier: MIT
#include "balancer/dialect/listen_fds/listen_fds_intake.hpp"

#include "balancer/config/listen_address.hpp"
#include "balancer/dialect/listen_fds/listen_fds_link.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace asio = boost::asio;

namespace usher {

namespace {

bool listens(int socket)
{
    int result = 0;
    socklen_t size = sizeof result;
    return ::getsockopt(socket, SOL_SOCKET, SO_ACCEPTCONN, &result, &size) == 0 && result != 0;
}

/// Addresses and what their sockets are like; not the mode of a file, which can be changed.
bool are_the_same(const std::vector<ListenConfig>& some, const std::vector<ListenConfig>& others)
{
    return std::ranges::equal(some, others, [](const ListenConfig& a, const ListenConfig& b) {
        return a.address == b.address && a.v6only == b.v6only && a.name == b.name;
    });
}

} // namespace

std::size_t waiting_in_backlog(int socket) noexcept
{
    tcp_info info{};
    socklen_t size = sizeof info;
    // Of a socket that listens this is its backlog's length (tcp_get_info() in the kernel).
    return ::getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 ? info.tcpi_unacked : 0;
}

ListenFdsIntake::ListenFdsIntake(asio::any_io_executor executor, const PoolConfig& config,
                                 EventBus& events)
    : executor_{std::move(executor)}, pool_{config.name}, share_{config.share}, events_{events}
{
}

ListenerChange ListenFdsIntake::prepare(const PoolConfig& next, InheritedSockets* inherited) const
{
    ListenerChange change;
    if (!places_.empty()) {
        std::vector<ListenConfig> now;
        for (const auto& place : places_)
            if (now.empty() || !(now.back() == place.config)) // a name may have several addresses
                now.push_back(place.config);
        if (next.share != share_ || !are_the_same(now, next.listen))
            throw std::runtime_error{
                fmt::format("the listeners of pool \"{}\" cannot change while usher runs, because "
                            "its dialect is listen-fds; restart usher",
                            pool_)};
        return change;
    }
    const auto use = next.share ? SocketUse::listen : SocketUse::share;
    for (const auto& config : next.listen) {
        std::vector<ListeningSocket> sockets;
        if (inherited != nullptr)
            sockets = inherited->take(config, next.backlog);
        if (sockets.empty())
            sockets = open_listeners(config, next.backlog, use);
        change.added.push_back({.config = config, .sockets = std::move(sockets)});
    }
    return change;
}

void ListenFdsIntake::commit(const PoolConfig& next, ListenerChange change)
{
    for (auto& [config, sockets] : change.added) {
        for (auto& socket : sockets) {
            events_.publish({.kind = EventKind::listening,
                             .level = log::Level::info,
                             .message = "listening on " + socket.address.to_string(),
                             .pool = pool_});
            places_.push_back({.config = config, .socket = std::move(socket), .group = {}});
            auto& place = places_.back();
            if (!listens(place.socket.fd.get()))
                place.group.emplace(std::move(place.socket.fd), place.socket.address, config.v6only,
                                    next.backlog);
        }
    }
    for (auto& place : places_)
        for (const auto& config : next.listen)
            if (config.mode && config.address == place.config.address)
                place.socket.file.set_mode(*config.mode);
}

/// One that nobody has, with what waits for it, or a new one.
ListenFdsIntake::Seat& ListenFdsIntake::take_seat()
{
    Seat* best = nullptr;
    std::size_t most = 0;
    for (const auto& seat : seats_) {
        if (seat->taken)
            continue;
        std::size_t waiting = 0;
        for (const int socket : seat->sockets)
            waiting += waiting_in_backlog(socket);
        if (best == nullptr || waiting > most) {
            best = seat.get();
            most = waiting;
        }
    }
    if (best == nullptr) {
        auto seat = std::make_unique<Seat>();
        for (auto& place : places_) {
            seat->own = seat->own && place.group;
            seat->sockets.push_back(place.group ? place.group->add() : place.socket.fd.get());
        }
        seats_.push_back(std::move(seat));
        best = seats_.back().get();
    }
    best->taken = true;
    return *best;
}

std::shared_ptr<WorkerLink> ListenFdsIntake::connect(std::shared_ptr<const PoolConfig> config,
                                                     const WorkerIdentity&)
{
    if (closed_)
        throw std::runtime_error{"its listeners are closed already"};
    if (places_.size() > most_sockets)
        throw std::runtime_error{fmt::format(
            "dialect listen-fds takes at most {} sockets in a pool; make two pools", most_sockets)};
    return std::make_shared<ListenFdsLink>(executor_, std::move(config), *this, take_seat());
}

void ListenFdsIntake::set_active(Seat& seat, bool active) noexcept
{
    if (std::exchange(seat.active, active) != active)
        steer();
}

void ListenFdsIntake::release(Seat& seat) noexcept
{
    set_active(seat, false);
    seat.taken = false;
}

/// Connections go where somebody takes them.
void ListenFdsIntake::steer() noexcept
{
    for (std::size_t i = 0; i < places_.size(); ++i) {
        if (!places_[i].group)
            continue;
        std::set<int> active;
        for (const auto& seat : seats_)
            if (seat->active)
                active.insert(seat->sockets[i]);
        const auto error = places_[i].group->steer(active);
        if (error && !std::exchange(said_not_steered_, true))
            events_.publish({.kind = EventKind::note,
                             .level = log::Level::warning,
                             .message = fmt::format(
                                 "{}: connections go to workers also before they are ready and "
                                 "while they drain, because the kernel cannot be told which: {}",
                                 places_[i].socket.address.to_string(), error.message()),
                             .pool = pool_});
    }
}

void ListenFdsIntake::close()
{
    closed_ = true;
    for (auto& place : places_) {
        place.socket.file = {}; // while it still listens nobody can take it for one left behind
        place.socket.fd.reset();
        if (place.group)
            place.group->close();
    }
    places_.clear();
}

bool ListenFdsIntake::has(const ListenConfig& config) const
{
    const auto wanted = parse_listen_address(config.address);
    return is_exclusive(wanted) && std::ranges::any_of(places_, [&](const Place& place) {
               return parse_listen_address(place.config.address) == wanted;
           });
}

std::vector<std::string> ListenFdsIntake::names() const
{
    std::vector<std::string> result;
    for (const auto& place : places_)
        result.push_back(place.socket.address.to_string());
    return result;
}

std::string ListenFdsIntake::socket_names() const
{
    std::string result;
    for (const auto& place : places_) {
        if (&place != &places_.front())
            result += ':';
        result += place.config.name.empty() ? "unknown" : place.config.name;
    }
    return result;
}

std::vector<sys::SocketAddress> ListenFdsIntake::addresses() const
{
    std::vector<sys::SocketAddress> result;
    for (const auto& place : places_)
        result.push_back(place.socket.address);
    return result;
}

} // namespace usher
