// SPDX-License-Identifier: MIT
#include "balancer/dialect/preload/preload_link.hpp"

#include "balancer/dialect/preload/preload.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/detached.hpp>

#include <utility>

namespace asio = boost::asio;

namespace usher {

PreloadLink::PreloadLink(const asio::any_io_executor& executor,
                         std::shared_ptr<const ResolvedPool> config, WorkerIdentity identity,
                         Dispatcher& dispatcher, std::vector<sys::SocketAddress> listeners)
    : NativeLink{executor, std::move(identity), dispatcher,
                 std::make_unique<HandoffChannel>(config->max_queue, assign_queues(listeners))},
      config_{std::move(config)},
      listeners_{std::move(listeners)},
      open_connections_{listeners_, sockets()},
      timer_{executor}
{
}

/// What it is given of those: its queues and its control socket.
std::vector<int> PreloadLink::sockets() const
{
    auto result = handoff().worker_ends();
    result.push_back(worker_control());
    return result;
}

WorkerLink::Equipment PreloadLink::equip(std::map<std::string, std::string>& environment,
                                         int first_number) const
{
    auto descriptors = sockets();
    descriptors.push_back(handoff().scoreboard().fd());
    add_preload(environment, *config_, listeners_, descriptors, first_number);
    return {.descriptors = std::move(descriptors)};
}

bool PreloadLink::drain(std::chrono::milliseconds)
{
    drain_watch_.emplace(DrainWatch::Clock::now());
    asio::co_spawn(timer_.get_executor(), watch(), asio::detached); // never throws
    return false;
}

asio::awaitable<void> PreloadLink::watch()
{
    const auto self = shared_from_this();
    while (drain_watch_) {
        timer_.expires_at(drain_watch_->next());
        co_await timer_.async_wait(asio::as_tuple(asio::deferred));
        const auto start = DrainWatch::Clock::now();
        // First what it can still take: then that is among what it has open.
        const bool has_taken_all =
            drain_watch_ && !looks_.is_looking() && handoff().figures().queued == 0;
        timer_.expires_at(asio::steady_timer::time_point::max());
        const bool is_idle = has_taken_all && co_await count_open(timer_) == 0U;
        if (!drain_watch_)
            break;
        drain_watch_->on_look(start, DrainWatch::Clock::now());
        if (is_idle) {
            drain_watch_.reset();
            observer().on_idle();
        }
    }
}

void PreloadLink::on_shut_down()
{
    stop_watching();
    detach();
    give_back(); // on a real listening socket these would be reset
    observer().on_leaving("has shut its listening socket down");
}

void PreloadLink::cut_off()
{
    stop_watching();
    drain_watch_.reset();
    timer_.cancel();
    give_back();
}

void PreloadLink::finish()
{
    drain_watch_.reset();
    timer_.cancel();
    NativeLink::finish();
}

asio::awaitable<std::optional<std::uint64_t>> PreloadLink::count_open(asio::steady_timer& deadline)
{
    return open_connections_.count(process(), looks_, deadline);
}

std::string PreloadLink::explain_not_ready() const
{
    return explain_missing(listeners_,
                           handoff().scoreboard().page().preload.load(std::memory_order_relaxed));
}

} // namespace usher
