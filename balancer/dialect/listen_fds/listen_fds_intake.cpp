// SPDX-License-Identifier: MIT
#include "balancer/dialect/listen_fds/listen_fds_intake.hpp"

#include "balancer/dialect/listen_fds/listen_fds_link.hpp"
#include "common/async/closing_thread.hpp"
#include "common/sys/socket/accept.hpp"
#include "common/sys/socket/bound_socket.hpp"
#include "common/text/listen_address.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <new>
#include <stdexcept>
#include <tuple>
#include <utility>

#include <fcntl.h>
#include <sys/socket.h>

namespace asio = boost::asio;

namespace usher {

namespace {

bool listens(int socket)
{
    return sys::socket_option(socket, SO_ACCEPTCONN) > 0;
}

void make_blocking(int socket) noexcept
{
    ::fcntl(socket, F_SETFL, ::fcntl(socket, F_GETFL) & ~O_NONBLOCK);
}

/// Addresses and what their sockets are like; not the mode of a file, which can be changed.
bool are_the_same(const std::vector<ListenConfig>& some, const std::vector<ListenConfig>& others)
{
    return std::ranges::equal(some, others, [](const ListenConfig& a, const ListenConfig& b) {
        return mean_the_same(a.address, b.address) && a.v6only == b.v6only && a.name == b.name;
    });
}

} // namespace

std::size_t ListenFdsIntake::Seat::waiting() const noexcept
{
    std::size_t result = 0;
    for (const int socket : sockets)
        result += sys::waiting_in_backlog(socket).value_or(0);
    return result;
}

ListenFdsIntake::ListenFdsIntake(asio::any_io_executor executor, const ResolvedPool& config,
                                 EventBus& events)
    : executor_{std::move(executor)}, config_{config}, events_{events, {.pool = config.name}}
{
}

ListenerChange ListenFdsIntake::prepare(const ResolvedPool& next, SocketSource& sockets)
{
    if (!places_.empty()) {
        if (next.share != config_.share || !are_the_same(config_.listen, next.listen))
            throw std::runtime_error{
                fmt::format("the listeners of pool \"{}\" cannot change while usher runs, because "
                            "its dialect is listen-fds; restart usher",
                            next.name)};
        for (const auto& place : places_)
            if (sockets.opened.replaces(place.socket.address))
                events_.publish(EventKind::note, log::Level::warning,
                                fmt::format("{}: somebody has removed the file, so that no client "
                                            "finds the socket, which the workers have; restart "
                                            "usher",
                                            place.socket.address.to_string()));
        return {.addresses = addresses(), .commit = [this, next] { change_places(next); }};
    }
    const auto use = next.share ? SocketUse::listen : SocketUse::share;
    const auto opened = std::make_shared<OpenedSockets>();
    for (const auto& config : next.listen)
        opened->entries.push_back({.config = config});
    ListenerChange change;
    for (auto& entry : opened->entries) {
        opened->open(entry, next.backlog, sockets, use);
        for (const auto& socket : entry.sockets)
            change.addresses.push_back(socket.address);
    }
    change.commit = [this, next, opened] {
        config_ = next;
        add_places(*opened);
    };
    return change;
}

void ListenFdsIntake::change_places(const ResolvedPool& next)
{
    config_ = next;
    for (auto& place : places_) {
        if (place.group)
            place.group->set_backlog(next.backlog);
        else
            ::listen(place.socket.fd.get(), static_cast<int>(next.backlog));
        for (const auto& config : next.listen)
            if (config.mode && mean_the_same(config.address, place.config.address))
                do_elsewhere(
                    [file = place.socket.file, mode = *config.mode] { file.set_mode(mode); });
    }
}

void ListenFdsIntake::add_places(OpenedSockets& opened)
{
    for (auto& [config, sockets] : opened.entries) {
        for (auto& socket : sockets) {
            events_.publish(EventKind::listening, log::Level::info,
                            "listening on " + socket.address.to_string());
            places_.push_back({.config = config, .socket = std::move(socket), .group = {}});
            auto& place = places_.back();
            if (listens(place.socket.fd.get()))
                make_blocking(place.socket.fd.get());
            else
                place.group.emplace(std::move(place.socket.fd), place.socket.address, config.v6only,
                                    config_.backlog);
        }
    }
}

/// The heir's first, then the one where most wait; null if there is none.
ListenFdsIntake::Seat* ListenFdsIntake::free_seat() noexcept
{
    const auto best = std::ranges::max_element(seats_, {}, [this](const Seat& seat) {
        return std::tuple{!seat.taken, &seat == heir(), seat.waiting()};
    });
    return best == seats_.end() || best->taken ? nullptr : &*best;
}

ListenFdsIntake::Seat& ListenFdsIntake::add_seat()
{
    auto& seat = seats_.emplace_back();
    try {
        for (auto& place : places_) {
            seat.own = seat.own && place.group;
            seat.sockets.push_back(place.group ? place.group->add() : place.socket.fd.get());
        }
    } catch (...) {
        remove(seat);
        throw;
    }
    return seat;
}

void ListenFdsIntake::take(Seat& seat) noexcept
{
    seat.taken = true;
    seat.abandoned.reset();
    // As from systemd; whoever had it before may have wanted it otherwise.
    for (std::size_t i = 0; i < places_.size(); ++i)
        if (places_[i].group)
            make_blocking(seat.sockets[i]);
    steer();
}

void ListenFdsIntake::remove(Seat& seat) noexcept
{
    for (std::size_t i = 0; i < seat.sockets.size() && i < places_.size(); ++i)
        if (places_[i].group)
            places_[i].group->remove(seat.sockets[i]);
    if (last_active_ == &seat)
        last_active_ = nullptr;
    seats_.remove_if([&seat](const Seat& other) { return &other == &seat; });
}

std::shared_ptr<WorkerLink> ListenFdsIntake::connect(std::shared_ptr<const ResolvedPool> config,
                                                     const WorkerIdentity&)
{
    if (closed_)
        throw std::runtime_error{"its listeners are closed already"};
    if (places_.size() > most_sockets)
        throw std::runtime_error{fmt::format(
            "dialect listen-fds takes at most {} sockets in a pool; make two pools", most_sockets)};
    if (config->account.is_other_user()) // who must not keep deaf who comes after it
        for (auto& place : places_)
            place.group ? place.group->lock() : sys::lock_filter(place.socket.fd.get());
    auto* const free = free_seat();
    return std::make_shared<ListenFdsLink>(executor_, std::move(config), *this,
                                           free != nullptr ? *free : add_seat());
}

void ListenFdsIntake::set_active(Seat& seat, bool active) noexcept
{
    if (std::exchange(seat.active, active) == active)
        return;
    if (active)
        last_active_ = &seat;
    steer();
}

void ListenFdsIntake::release(Seat& seat)
{
    set_active(seat, false);
    seat.taken = false;
    if (closed_)
        return;
    if (!std::ranges::all_of(seat.sockets, listens)) {
        events_.publish(
            EventKind::note, log::Level::warning,
            "a worker has shut its listening socket down, so that those who waited there were "
            "refused; let it close the socket instead");
        remove(seat);
    } else if (seat.own && seat.waiting() > 0) {
        look_after(seat);
    }
    steer();
}

/// Somebody waits there.  If nobody is started any more who would take it, they are told.
void ListenFdsIntake::look_after(Seat& seat)
{
    seat.abandoned = std::make_unique<boost::asio::steady_timer>(
        executor_, config_.restart.longest_delay + std::chrono::seconds{1});
    seat.abandoned->async_wait([this, &seat](const boost::system::error_code& cancelled) {
        if (cancelled || closed_ || seat.taken)
            return;
        if (const auto waiting = seat.waiting(); waiting > 0)
            events_.publish(
                EventKind::note, log::Level::warning,
                fmt::format("{} connections are refused, because the worker that they waited "
                            "for has ended and no other was started in its place",
                            waiting));
        remove(seat);
        steer();
    });
}

/// Who gets the connections while no worker is ready: one that has been given its socket already,
/// or else the last that was ready; null if there is nobody.
const ListenFdsIntake::Seat* ListenFdsIntake::heir() const noexcept
{
    const auto taken = std::ranges::find(seats_, true, &Seat::taken);
    if (taken != seats_.end())
        return &*taken;
    if (last_active_ != nullptr)
        return last_active_;
    return seats_.empty() ? nullptr : &seats_.front();
}

/// Connections go where somebody takes them; without memory, at the next occasion.
void ListenFdsIntake::steer() noexcept
try {
    const bool nobody = std::ranges::none_of(seats_, &Seat::active);
    const auto* const only = nobody ? heir() : nullptr;
    for (std::size_t i = 0; i < places_.size(); ++i) {
        if (!places_[i].group)
            continue;
        std::set<int> meant;
        for (const auto& seat : seats_)
            if (i < seat.sockets.size() && (seat.active || &seat == only))
                meant.insert(seat.sockets[i]);
        const auto error = places_[i].group->steer(meant);
        if (error && !std::exchange(said_not_steered_, true))
            events_.publish(
                EventKind::note, log::Level::warning,
                fmt::format("{}: connections go to workers also before they are ready and "
                            "while they drain, because the kernel cannot be told which: {}",
                            places_[i].socket.address.to_string(), error.message()));
    }
} catch (const std::bad_alloc&) { // NOLINT(bugprone-empty-catch)
}

void ListenFdsIntake::close(std::function<void()> on_closed)
{
    closed_ = true;
    for (auto& seat : seats_)
        seat.abandoned.reset();
    places_.clear();
    if (on_closed)
        on_closed();
}

std::string ListenFdsIntake::socket_names() const
{
    std::vector<std::string> names;
    for (const auto& place : places_)
        names.push_back(place.config.name.empty() ? "unknown" : place.config.name);
    return fmt::format("{}", fmt::join(names, ":"));
}

std::vector<SocketFile> ListenFdsIntake::files() const
{
    std::vector<SocketFile> result;
    for (const auto& place : places_)
        if (place.socket.file)
            result.push_back(place.socket.file);
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
