// SPDX-License-Identifier: MIT
#include "balancer/dialect/listen_fds/listen_fds_link.hpp"

#include "balancer/dialect/listen_fds/accept_watch.hpp"
#include "balancer/dialect/proc.hpp"
#include "common/async/spawn.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/detached.hpp>

#include <algorithm>
#include <new>
#include <utility>

namespace asio = boost::asio;

namespace usher {

ListenFdsLink::ListenFdsLink(const asio::any_io_executor& executor,
                             std::shared_ptr<const ResolvedPool> config, ListenFdsIntake& intake,
                             ListenFdsIntake::Seat& seat)
    : config_{std::move(config)},
      intake_{intake},
      seat_{seat},
      inodes_{proc::inodes_of(seat.sockets)},
      open_connections_{intake.addresses(), seat.sockets},
      timer_{executor}
{
    intake_.take(seat_); // last: what throws leaves it free
}

ListenFdsLink::~ListenFdsLink()
{
    // Within the body: a handler around it would throw on at its end (C++20, [except.handle]).
    try {
        if (!released_) // its process was never started
            intake_.release(seat_, false);
    } catch (const std::bad_alloc&) { // NOLINT(bugprone-empty-catch)
        // The seat is free by then.
    }
}

WorkerLink::Equipment ListenFdsLink::equip(std::map<std::string, std::string>& environment,
                                           int) const
{
    environment["LISTEN_FDS"] = std::to_string(seat_.sockets.size());
    environment["LISTEN_FDNAMES"] = intake_.socket_names();
    return {.descriptors = seat_.sockets, .pid_variables = {"LISTEN_PID"}, .outlives_master = true};
}

void ListenFdsLink::start(pid_t process, Observer& observer)
{
    process_ = process;
    observer_ = &observer;
    observer.on_online();
    if (config_->ready == Readiness::notify)
        return;
    awaits_accept_ = true;
    spawn(timer_.get_executor(), watch_for_accept(), shared_from_this());
}

asio::awaitable<void> ListenFdsLink::watch_for_accept()
{
    const auto latest =
        Clock::now() + config_->start_delay.value_or(PoolConfig::default_start_delay);
    DrainWatch schedule{Clock::now()};
    while (awaits_accept_) {
        const auto start = Clock::now();
        timer_.expires_at(latest);
        auto look = [inodes = inodes_, process = process_] { return waits_on(inodes, process); };
        const bool waits = start < latest && co_await looks_.look(std::move(look), timer_) == true;
        if (!awaits_accept_)
            break;
        const auto end = Clock::now();
        if (waits || end >= latest) {
            awaits_accept_ = false;
            observer_->on_ready();
            break;
        }
        schedule.on_look(start, end);
        timer_.expires_at(std::min(schedule.next(), latest));
        co_await timer_.async_wait(asio::as_tuple(asio::deferred));
    }
}

bool ListenFdsLink::drain(std::chrono::milliseconds)
{
    stop_looking();
    if (!seat_.own || intake_.is_closed()) // it cannot be kept from accepting
        return true;
    schedule_.emplace(Clock::now() + ListenFdsIntake::handshake_time);
    asio::co_spawn(timer_.get_executor(), watch_for_idle(), asio::detached); // never throws
    return false;
}

asio::awaitable<void> ListenFdsLink::watch_for_idle()
{
    const auto self = shared_from_this();
    while (schedule_) {
        timer_.expires_at(schedule_->next());
        co_await timer_.async_wait(asio::as_tuple(asio::deferred));
        const auto start = Clock::now();
        // First what it can still take: then that is among what it has open.
        const bool has_taken_all = schedule_ && !looks_.is_looking() && seat_.waiting() == 0;
        timer_.expires_at(Clock::time_point::max());
        const bool is_idle = has_taken_all && co_await count_open(timer_) == 0U;
        if (!schedule_)
            break;
        schedule_->on_look(start, Clock::now());
        if (is_idle || intake_.is_closed()) {
            stop_looking();
            observer_->on_idle();
        }
    }
}

void ListenFdsLink::stop_looking() noexcept
{
    awaits_accept_ = false;
    schedule_.reset();
    timer_.cancel();
}

void ListenFdsLink::finish()
{
    stop_looking();
    intake_.release(seat_, true);
    released_ = true;
}

asio::awaitable<std::optional<std::uint64_t>>
ListenFdsLink::count_open(asio::steady_timer& deadline)
{
    return open_connections_.count(process_, looks_, deadline);
}

} // namespace usher
