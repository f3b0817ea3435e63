// SPDX-License-Identifier: MIT
#include "balancer/dialect/listen_fds/listen_fds_intake.hpp"

#include "balancer/dialect/listen_fds/listen_fds_link.hpp"
#include "common/async/closing_thread.hpp"
#include "common/sys/socket/accept.hpp"
#include "common/sys/socket/bound_socket.hpp"
#include "common/text/counted.hpp"
#include "common/text/listen_address.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
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
        return prepare_change(next, sockets);
    }
    const auto use = next.share ? SocketUse::listen : SocketUse::share;
    OpenedSockets opened;
    for (const auto& config : next.listen)
        opened.entries.push_back({.config = config});
    ListenerChange change;
    const auto places = std::make_shared<std::vector<Place>>();
    for (std::size_t i = 0; i < opened.entries.size(); ++i) {
        auto& entry = opened.entries[i];
        opened.open(entry, next.backlog, sockets, use);
        for (auto& socket : entry.sockets) {
            change.addresses.push_back(socket.address);
            places->push_back({.entry = i, .socket = std::move(socket), .group = {}});
            auto& place = places->back();
            if (listens(place.socket.fd.get()))
                make_blocking(place.socket.fd.get());
            else
                place.group.emplace(std::move(place.socket.fd), place.socket.address,
                                    entry.config.v6only, next.backlog);
        }
    }
    change.commit = [this, config = next, places]() mutable {
        config_ = std::move(config);
        add_places(std::move(*places));
    };
    return change;
}

/// Of places that stay; those whose file somebody has removed are opened anew.
ListenerChange ListenFdsIntake::prepare_change(const ResolvedPool& next, SocketSource& sockets)
{
    ListenerChange change{.addresses = addresses(), .commit = [this, config = next]() mutable {
                              change_places(std::move(config));
                          }};
    const auto renewed = std::make_shared<Renewed>();
    for (std::size_t i = 0; i < places_.size(); ++i) {
        auto& place = places_[i];
        if (!sockets.opened.replaces(place.socket.address))
            continue;
        place.old.reserve(place.old.size() + 1); // renew() cannot fail
        auto socket = sockets.opened.take(next.listen[place.entry]);
        make_blocking(socket->fd.get());
        change.opens.push_back(socket->address.to_string());
        renewed->emplace(i, std::move(*socket));
    }
    // Some have it still if a reload has failed since.
    const bool have_old = std::ranges::any_of(
        seats_, [this](const Seat& seat) { return seat.active && has_old(seat); });
    if (have_old || !renewed->empty())
        change.begin = [this, renewed] { renew(*renewed); };
    return change;
}

/// Workers that are started from now on have the new ones.
void ListenFdsIntake::renew(Renewed& sockets) noexcept
{
    if (closed_)
        return;
    for (auto& [i, socket] : sockets) {
        auto& place = places_[i];
        place.old.push_back(std::exchange(place.socket.fd, std::move(socket.fd)));
        place.socket.file = std::move(socket.file);
        say_renewed(place);
    }
    close_old();
}

void ListenFdsIntake::say_renewed(const Place& place) noexcept
try {
    events_.publish(EventKind::note, log::Level::warning,
                    fmt::format("{}: somebody has removed the file, which was opened anew for the "
                                "workers that are started from now on; those before have the old "
                                "socket, which no client finds",
                                place.socket.address.to_string()));
} catch (const std::bad_alloc&) { // then nobody hears of it
}

/// Closes what no worker can have any more.
void ListenFdsIntake::close_old() noexcept
{
    for (std::size_t i = 0; i < places_.size(); ++i) {
        auto& place = places_[i];
        if (place.old.empty())
            continue;
        for (auto& seat : seats_)
            if (!seat.taken)
                seat.sockets[i] = place.socket.fd.get();
        const auto is_used = [&](const sys::UniqueFd& old) {
            return std::ranges::any_of(
                seats_, [&](const Seat& seat) { return seat.sockets[i] == old.get(); });
        };
        const auto unused = std::partition(place.old.begin(), place.old.end(), is_used);
        for (auto old = unused; old != place.old.end(); ++old)
            close_elsewhere(std::move(*old)); // with what those have sent who wait: see Listener
        place.old.erase(unused, place.old.end());
    }
}

/// True if its worker has a socket to which no client comes any more.
bool ListenFdsIntake::has_old(const Seat& seat) const noexcept
{
    for (std::size_t i = 0; i < places_.size(); ++i)
        if (!places_[i].group && seat.sockets[i] != places_[i].socket.fd.get())
            return true;
    return false;
}

void ListenFdsIntake::change_places(ResolvedPool next) noexcept
{
    config_ = std::move(next);
    for (auto& place : places_) {
        if (place.group)
            place.group->set_backlog(config_.backlog);
        else
            ::listen(place.socket.fd.get(), static_cast<int>(config_.backlog));
        const auto& listen = config_.listen[place.entry];
        place.socket.file.set_rights_elsewhere({.mode = listen.mode, .owner = listen.file_owner});
    }
}

void ListenFdsIntake::add_places(std::vector<Place> places) noexcept
try {
    places_ = std::move(places);
    for (const auto& place : places_)
        events_.publish(EventKind::listening, log::Level::info,
                        "listening on " + place.socket.address.to_string());
} catch (const std::bad_alloc&) { // then nobody hears of it
}

/// How many wait is asked of the kernel, so only where it matters: of seats that can be given.
std::vector<SeatFacts> ListenFdsIntake::facts(bool asks_waiting) const
{
    std::vector<SeatFacts> result;
    for (const auto& seat : seats_)
        result.push_back({.is_taken = seat.taken,
                          .is_active = seat.active,
                          .was_last_active = &seat == last_active_,
                          .waiting = asks_waiting && !seat.taken ? seat.waiting() : 0});
    return result;
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
    if (config->account.is_other_user()) { // who must not keep deaf who comes after it
        is_distrusted_ = true;
        for (auto& place : places_)
            place.group ? place.group->lock() : sys::lock_filter(place.socket.fd.get());
    }
    const auto free = next_seat_of(facts(true));
    auto& seat = free ? *std::next(seats_.begin(), static_cast<std::ptrdiff_t>(*free)) : add_seat();
    return std::make_shared<ListenFdsLink>(executor_, std::move(config), *this, seat);
}

void ListenFdsIntake::set_active(Seat& seat, bool active) noexcept
{
    if (std::exchange(seat.active, active) == active)
        return;
    if (active)
        last_active_ = &seat;
    steer();
}

/// True if somebody waits at one of the sockets that are its own alone.
bool ListenFdsIntake::is_waited_at(const Seat& seat) const noexcept
{
    for (std::size_t i = 0; i < seat.sockets.size() && i < places_.size(); ++i)
        if (places_[i].group && sys::waiting_in_backlog(seat.sockets[i]).value_or(0) > 0)
            return true;
    return false;
}

/// True if nobody has been led there for so long that nobody can be just connecting.
bool ListenFdsIntake::is_left(const Seat& seat) const noexcept
{
    return !seat.steered && !said_not_steered_ && Clock::now() - seat.left >= handshake_time;
}

void ListenFdsIntake::release(Seat& seat, bool was_given)
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
    } else if (is_waited_at(seat)) {
        if (seat.own)
            look_after(seat);
    } else if ((is_distrusted_ && was_given) ||
               (is_left(seat) && std::ranges::any_of(seats_, &Seat::active))) {
        give_up(seat);
    }
    close_old();
    steer();
}

/// Nobody waits there.  Another user's worker may have made it deaf, by many a socket option; and
/// to a seat without a worker the kernel deals when a worker has shut its socket down.
void ListenFdsIntake::give_up(Seat& seat) noexcept
try {
    if (seats_.size() == 1) // who comes now waits for the next worker
        std::ignore = add_seat();
    remove(seat);
} catch (const std::exception&) { // then that one gets it as it is
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
                fmt::format("refused {}, because the worker of that socket has ended and no other "
                            "was started in its place",
                            counted(waiting, "connection")));
        remove(seat);
        steer();
    });
}

/// Connections go where somebody takes them; without memory, at the next occasion.
void ListenFdsIntake::steer() noexcept
try {
    const auto heir = heir_of(facts(false));
    const auto* const only =
        heir ? &*std::next(seats_.begin(), static_cast<std::ptrdiff_t>(*heir)) : nullptr;
    for (auto& seat : seats_) {
        const bool was_steered = std::exchange(seat.steered, seat.active || &seat == only);
        if (was_steered && !seat.steered)
            seat.left = Clock::now();
    }
    for (std::size_t i = 0; i < places_.size(); ++i) {
        if (!places_[i].group)
            continue;
        std::set<int> meant;
        for (const auto& seat : seats_)
            if (i < seat.sockets.size() && seat.steered)
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
    std::vector<sys::UniqueFd> of_files; // with what those have sent who wait there: see Listener
    for (auto& place : places_) {
        place.socket.file.remove_elsewhere(); // a look that hangs may have a copy
        if (place.socket.address.family() != AF_UNIX)
            continue;
        of_files.push_back(std::move(place.socket.fd));
        std::ranges::move(place.old, std::back_inserter(of_files));
    }
    places_.clear();
    close_elsewhere(of_files);
    if (on_closed)
        on_closed();
}

std::string ListenFdsIntake::socket_names() const
{
    std::vector<std::string> names;
    for (const auto& place : places_) {
        const auto& name = config_.listen[place.entry].name;
        names.push_back(name.empty() ? "unknown" : name);
    }
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

std::vector<Listening> ListenFdsIntake::listening() const
{
    std::vector<Listening> result;
    for (std::size_t i = 0; i < places_.size(); ++i) {
        const auto& place = places_[i];
        auto& listening =
            result.emplace_back(Listening{.name = place.socket.address.to_string(), .waiting = {}});
        if (!place.group) {
            listening.waiting = sys::waiting_in_backlog(place.socket.fd.get());
            continue;
        }
        for (const auto& seat : seats_)
            if (const auto waiting = sys::waiting_in_backlog(seat.sockets[i]))
                listening.waiting = listening.waiting.value_or(0) + *waiting;
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
