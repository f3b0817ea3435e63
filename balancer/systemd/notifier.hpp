// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/events/event_bus.hpp"
#include "balancer/pool/pool_set.hpp"
#include "balancer/systemd/service_state.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstddef>
#include <deque>
#include <optional>
#include <string>

namespace usher::systemd {

/// Tells the service manager what becomes of the service: ready, reloading, stopping, a line for
/// people, and that the event loop turns.
///
/// Does nothing at all unless a service manager asked for it by NOTIFY_SOCKET.
class Notifier {
public:
    Notifier(const boost::asio::any_io_executor& executor, const PoolSet& pools, EventBus& events);

    /// Begins to follow the events; the pools have been started.
    void start();

    /// Leaves nothing on the event loop.
    void close();

private:
    void on_event(const Event& event);
    void look_again();
    void await_watchdog();
    void tell(const std::string& state);
    void send();
    [[nodiscard]] ServiceState::Facts facts() const;

    boost::asio::any_io_executor executor_;
    const PoolSet& pools_;
    EventBus& events_;
    std::optional<EventBus::Subscription> subscription_;
    ServiceState state_;
    bool will_look_ = false;
    bool failed_ = false;
    static constexpr std::size_t most_unsent = 64;
    std::deque<std::string> unsent_; ///< what the service manager has no room for

    boost::asio::steady_timer watchdog_;
    std::chrono::microseconds watchdog_interval_{0}; ///< 0: nobody waits for it
    boost::asio::steady_timer retry_;
};

} // namespace usher::systemd
