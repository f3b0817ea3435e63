// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/config/config.hpp"
#include "balancer/dispatch/dispatcher.hpp"
#include "balancer/dispatch/listener.hpp"
#include "balancer/events/event_source.hpp"
#include "balancer/listen/listener_change.hpp"
#include "balancer/listen/socket_source.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <memory>
#include <string>
#include <vector>

namespace usher {

/// The listeners of one pool.
class PoolListeners final : private Listener::Observer {
public:
    PoolListeners(boost::asio::any_io_executor executor, std::string pool, Dispatcher& dispatcher,
                  EventBus& events);

    /// Opens what `next` has and the pool has not yet, from `sockets`, and changes
    /// nothing.
    ///
    /// Throws AddressInUse, std::system_error, std::runtime_error.
    [[nodiscard]] ListenerChange prepare(const PoolConfig& next, SocketSource& sockets) const;

    /// Takes over what was prepared, closes what `next` has no longer, and leaves the rest alone.
    void commit(const PoolConfig& next, ListenerChange change);

    /// Begins to accept.
    void start();

    /// Hands off what waits in the backlogs, closes, and calls `on_closed`; see Intake.
    void close(std::function<void()> on_closed);

    /// How the log calls them: addresses with the real ports.
    [[nodiscard]] std::vector<std::string> names() const;

    /// The same, in the order of the listeners' indices.
    [[nodiscard]] std::vector<sys::SocketAddress> addresses() const;

private:
    struct Open {
        std::string name;
        sys::SocketAddress address;
        SocketFile file;
        std::shared_ptr<Listener> listener;
    };
    /// What came of one entry of the configuration.
    struct Group {
        ListenConfig config;
        std::vector<Open> open;
    };

    void on_accept_failure(const Listener& listener, std::error_code error,
                           std::chrono::milliseconds pause) noexcept override;
    void on_closed(const Listener& listener) override;
    [[nodiscard]] const Group& owner_of(const sys::SocketAddress& address) const;
    [[nodiscard]] Open make_open(ListeningSocket socket);
    [[nodiscard]] Group take(const ListenConfig& config, std::vector<Group>& old,
                             ListenerChange& change);
    void close(std::vector<Group> groups);

    boost::asio::any_io_executor executor_;
    std::string pool_;
    Dispatcher& dispatcher_;
    EventSource events_;
    std::vector<Group> groups_;
    std::vector<std::shared_ptr<Listener>> closing_;
    std::function<void()> on_closed_; ///< empty: nobody waits for it
    bool started_ = false;
};

} // namespace usher
