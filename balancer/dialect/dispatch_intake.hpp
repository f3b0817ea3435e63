// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/dialect/intake.hpp"
#include "balancer/dialect/preload/preload_host.hpp"
#include "balancer/dispatch/dispatcher.hpp"
#include "balancer/dispatch/listener.hpp"
#include "balancer/dispatch/reclaim_queue.hpp"
#include "balancer/events/event_source.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace usher {

/// The master accepts and hands off, in strict turn: for the dialects native and preload, and for
/// auto as long as no other is found.
class DispatchIntake final : public Intake,
                             private PreloadHost,
                             private Listener::Observer,
                             private ReclaimQueue::Observer {
public:
    DispatchIntake(const boost::asio::any_io_executor& executor, std::string pool,
                   EventBus& events);

    [[nodiscard]] ListenerChange prepare(const ResolvedPool& next, SocketSource& sockets) override;
    void start() override;
    void close(std::function<void()> on_closed) override;
    std::size_t drop_waiting() override { return dispatcher_.stop(); }
    [[nodiscard]] std::shared_ptr<WorkerLink> connect(std::shared_ptr<const ResolvedPool> config,
                                                      const WorkerIdentity& identity) override;

    /// Accepts no more, and gives away the sockets it listens on, with what waits in their
    /// backlogs.
    [[nodiscard]] std::vector<ListeningSocket> release();

    /// Calls `on_node_primary` when a program of a pool of dialect auto has turned out to be one.
    void watch_for_node(std::function<void(const ResolvedPool&)> on_node_primary)
    {
        on_node_primary_ = std::move(on_node_primary);
    }

    [[nodiscard]] std::optional<Dialect> found() const noexcept override { return found_; }

    /// In the order of the listeners' indices.
    [[nodiscard]] std::vector<sys::SocketAddress> addresses() const override;
    [[nodiscard]] std::vector<SocketFile> files() const override;
    [[nodiscard]] std::vector<Listening> listening() const override;
    [[nodiscard]] std::optional<DispatchCounters> counters() const noexcept override
    {
        return dispatcher_.counters();
    }

private:
    struct Open {
        ListenConfig config; ///< what it came of
        std::size_t entry;   ///< which that is in the configuration; it may bring several
        sys::SocketAddress address;
        std::shared_ptr<Listener> listener;
        SocketFile file;
    };

    [[nodiscard]] Place place_for(const sys::SocketAddress& wanted, bool v6only, bool tries,
                                  const ResolvedPool& config) override;
    void on_found(Dialect dialect, const std::string& how) override;
    [[nodiscard]] bool replaces_primary(const ResolvedPool& config, unsigned generation) override;
    [[nodiscard]] Place open_for_program(const sys::SocketAddress& wanted, bool v6only, bool tries,
                                         unsigned backlog);
    void on_accept_failure(const Listener& listener, std::error_code error,
                           std::chrono::milliseconds pause) noexcept override;
    void on_closed(const Listener& listener) override;
    void on_reclaimed(std::string_view worker, std::size_t reclaimed,
                      std::size_t closed) noexcept override;
    [[nodiscard]] OpenedSockets open(const ResolvedPool& next, SocketSource& sockets) const;
    void commit(std::vector<Open>& next, unsigned backlog) noexcept;
    void say(EventKind kind, std::string_view what, const Open& open) noexcept;
    void close(std::vector<Open> closing);
    void look_for_end();

    boost::asio::any_io_executor executor_;
    std::string pool_;
    EventSource events_;
    Dispatcher dispatcher_;
    std::vector<Open> open_; ///< in the order of the configuration
    std::vector<std::shared_ptr<Listener>> closing_;
    std::function<void()> on_closed_; ///< empty: nobody waits for it
    std::function<void(const ResolvedPool&)> on_node_primary_;
    std::optional<Dialect> found_;
    bool started_ = false;
    bool stopped_ = false;
};

} // namespace usher
