// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/dispatch/accept_budget.hpp"
#include "balancer/dispatch/accept_throttle.hpp"
#include "balancer/dispatch/connection_sink.hpp"
#include "common/async/handler_memory.hpp"
#include "common/sys/fd/unique_fd.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <system_error>

#include <sys/socket.h>

namespace usher {

/// Accepts from one listening socket, in batches, and gives each connection to a sink.
///
/// Per connection: no allocation, no log line, and no system call but accept4() and the
/// sink's share.  Lives as a shared pointer: a wait that is under way keeps it.
class Listener final : public std::enable_shared_from_this<Listener>,
                       private ConnectionSink::Source {
public:
    class Observer {
    public:
        /// accept4() failed with `error`; the listener tries again by itself after `pause`.
        /// Called at most once in 10 seconds.
        virtual void on_accept_failure(const Listener& listener, std::error_code error,
                                       std::chrono::milliseconds pause) noexcept = 0;

        /// Nothing comes of it any more, after stop().
        virtual void on_closed(const Listener& listener) = 0;

    protected:
        ~Observer() = default;
    };

    /// `socket` listens and is non-blocking; `index` is its place in the pool's list.
    Listener(const boost::asio::any_io_executor& executor, sys::UniqueFd socket,
             std::uint16_t index, ConnectionSink& sink, Observer& observer);
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;
    ~Listener() override { close_socket(); }

    /// Accepts from now on, until stop().
    void start();

    /// Hands off what already waits in the backlog, as far as there is room, over several turns of
    /// the event loop; then closes, and tells so, maybe at once.
    void stop();

    /// Accepts no more, and gives its socket away, with what waits in the backlog.
    [[nodiscard]] sys::UniqueFd release();

    /// Closes without handing off anything more.
    void close();
    [[nodiscard]] bool is_open() const noexcept { return socket_.is_open(); }

    /// How many clients wait in the kernel's backlog; nothing if it cannot be asked.
    [[nodiscard]] std::optional<std::size_t> waiting() const noexcept;

    /// Its place in the pool's list, which workers are told with each connection.
    void set_index(std::uint16_t index) noexcept { index_ = index; }
    [[nodiscard]] std::uint16_t index() const noexcept { return index_; }

    /// Changes the length of the backlog; listen(2) may be called again.
    void set_backlog(unsigned backlog) noexcept;

private:
    void resume() override { start(); }
    void on_readable();

    enum class End { limit, drained, no_room, failed };
    struct Batch {
        std::size_t attempts = 0;
        std::size_t accepted = 0;
        End end = End::limit;
        std::error_code error;
    };

    [[nodiscard]] Batch accept_batch(std::size_t limit);
    void pause(std::error_code error);
    bool leave_off();
    void hand_off_rest();
    void close_socket() noexcept;

    boost::asio::posix::stream_descriptor socket_;
    boost::asio::steady_timer timer_;
    std::uint16_t index_;
    ConnectionSink& sink_;
    Observer& observer_;

    std::shared_ptr<HandlerMemory> memory_ = std::make_shared<HandlerMemory>();
    std::shared_ptr<HandlerMemory> rest_memory_ = std::make_shared<HandlerMemory>();
    AcceptBudget budget_;
    AcceptThrottle throttle_;
    std::size_t backlog_ = SOMAXCONN;
    std::size_t rest_ = 0; ///< most that are accepted after stop()
    bool stopped_ = false;
};

} // namespace usher
