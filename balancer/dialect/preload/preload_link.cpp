// SPDX-License-Identifier: MIT
#include "balancer/dialect/preload/preload_link.hpp"

#include "balancer/dialect/preload/preload.hpp"

#include <utility>

namespace asio = boost::asio;

namespace usher {

PreloadLink::PreloadLink(const asio::any_io_executor& executor,
                         std::shared_ptr<const PoolConfig> config, WorkerIdentity identity,
                         Dispatcher& dispatcher, std::vector<sys::SocketAddress> listeners)
    : NativeLink{executor, std::move(identity), dispatcher,
                 std::make_unique<HandoffChannel>(config->max_queue, assign_queues(listeners))},
      config_{std::move(config)},
      listeners_{std::move(listeners)},
      open_connections_{listeners_,
                        [this] {
                            auto given = handoff().worker_fds();
                            given.push_back(worker_control());
                            return given;
                        }()},
      timer_{executor}
{
}

WorkerLink::Equipment PreloadLink::equip(std::map<std::string, std::string>& environment,
                                         int first_number) const
{
    auto descriptors = handoff().worker_fds();
    add_preload(environment, *config_, listeners_,
                {.queues = descriptors,
                 .control = worker_control(),
                 .scoreboard = handoff().scoreboard_fd(),
                 .first_number = first_number});
    descriptors.insert(descriptors.end(), {worker_control(), handoff().scoreboard_fd()});
    return {.descriptors = std::move(descriptors)};
}

bool PreloadLink::drain(std::chrono::milliseconds)
{
    drain_watch_.emplace(DrainWatch::Clock::now());
    watch();
    return false;
}

void PreloadLink::watch()
{
    timer_.expires_at(drain_watch_->next());
    timer_.async_wait([this, self = shared_from_this()](const boost::system::error_code& error) {
        if (error || !drain_watch_)
            return;
        const auto start = DrainWatch::Clock::now();
        if (handoff().queued() == 0 && count_open() == 0U) {
            drain_watch_.reset();
            return observer().on_idle();
        }
        drain_watch_->on_look(start, DrainWatch::Clock::now());
        watch();
    });
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

std::optional<std::uint64_t> PreloadLink::count_open() const
{
    return open_connections_.count(process());
}

std::string PreloadLink::explain_not_ready() const
{
    return explain_missing(listeners_, handoff().preload_progress());
}

} // namespace usher
