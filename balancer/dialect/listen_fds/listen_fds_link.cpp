// SPDX-License-Identifier: MIT
#include "balancer/dialect/listen_fds/listen_fds_link.hpp"

#include "balancer/dialect/listen_fds/accept_watch.hpp"
#include "balancer/dialect/proc.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/detached.hpp>

#include <algorithm>
#include <utility>

namespace asio = boost::asio;

namespace usher {

namespace {

constexpr std::chrono::milliseconds default_start_delay{1'000};

/// What a handshake may take that had begun when connections were led elsewhere.
constexpr std::chrono::milliseconds handshake_time{500};

} // namespace

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
}

ListenFdsLink::~ListenFdsLink()
{
    if (!released_) // its process was never started
        intake_.release(seat_);
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
    const auto now = Clock::now();
    schedule_.emplace(now);
    look_for_accept(now);
}

void ListenFdsLink::look_for_accept(Clock::time_point started)
{
    const auto start = Clock::now();
    const auto latest = started + config_->start_delay.value_or(default_start_delay);
    if (start >= latest || waits_on(inodes_, process_)) {
        stop_looking();
        return observer_->on_ready();
    }
    schedule_->on_look(start, Clock::now());
    timer_.expires_at(std::min(schedule_->next(), latest));
    timer_.async_wait(
        [this, started, self = shared_from_this()](const boost::system::error_code& error) {
            if (!error && schedule_)
                look_for_accept(started);
        });
}

bool ListenFdsLink::drain(std::chrono::milliseconds)
{
    stop_looking();
    if (!seat_.own || intake_.is_closed()) // it cannot be kept from accepting
        return true;
    schedule_.emplace(Clock::now() + handshake_time);
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
        const bool has_taken_all = schedule_ && seat_.waiting() == 0;
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
    schedule_.reset();
    timer_.cancel();
}

void ListenFdsLink::finish()
{
    stop_looking();
    intake_.release(seat_);
    released_ = true;
}

asio::awaitable<std::optional<std::uint64_t>>
ListenFdsLink::count_open(asio::steady_timer& deadline) const
{
    return open_connections_.count(process_, deadline);
}

} // namespace usher
