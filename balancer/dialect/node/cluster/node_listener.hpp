// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/dialect/node/cluster/node_scheduler.hpp"
#include "balancer/dispatch/accept_budget.hpp"
#include "balancer/dispatch/accept_throttle.hpp"
#include "common/sys/fd/unique_fd.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <system_error>
#include <unordered_map>

namespace usher {

/// Accepts from one listening socket and deals the connections to Node workers, as NodeScheduler
/// decides.  It keeps each connection until a worker has accepted it, so that none is lost with a
/// worker, and accepts none that nobody can take: those wait in the kernel's backlog.
///
/// Lives as a shared pointer: a wait that is under way keeps it.
class NodeListener final : public std::enable_shared_from_this<NodeListener> {
public:
    using Connection = NodeScheduler::Connection;
    using Answer = NodeScheduler::Answer;

    /// Takes connections to a worker.
    class Carrier {
    public:
        [[nodiscard]] virtual std::uint64_t id() const noexcept = 0;

        /// Sends `fd`, which stays the listener's, for the server `key`.  The worker's answer comes
        /// by on_answer(), never during the call; or it is lost.  False if it cannot be sent now;
        /// then there is no answer.
        [[nodiscard]] virtual bool carry(const std::shared_ptr<NodeListener>& listener,
                                         std::string_view key, Connection connection, int fd) = 0;

    protected:
        ~Carrier() = default;
    };

    class Observer {
    public:
        /// accept4() failed with `error`; the listener tries again by itself after `pause`.
        virtual void on_accept_failure(const NodeListener& listener, std::error_code error,
                                       std::chrono::milliseconds pause) noexcept = 0;

        /// Nothing is accepted any more, after stop().
        virtual void on_closed() = 0;

    protected:
        ~Observer() = default;
    };

    /// `socket` listens and is non-blocking, with this `backlog`; `key` is what workers call it.
    NodeListener(const boost::asio::any_io_executor& executor, sys::UniqueFd socket,
                 unsigned backlog, std::string key, unsigned window, Observer& observer);

    void set_window(unsigned window);

    /// `carrier`'s worker gets connections from now on; it must stay until remove() and lose().
    void add(Carrier& carrier);
    void remove(const Carrier& carrier) noexcept;

    /// The worker is gone: what it has not accepted goes to others.  Returns how many those are.
    std::size_t lose(const Carrier& carrier);

    /// What became of a connection that `worker` was carried.
    void on_answer(std::uint64_t worker, Connection connection, Answer answer);

    /// Deals what waits in the backlog, whatever the window, over several turns of the event loop;
    /// then closes, and tells so, maybe at once.
    void stop();

    /// Closes without dealing anything more; needs stop().
    void close();
    [[nodiscard]] bool is_open() const noexcept { return socket_.is_open(); }

    /// Closes the connections that no worker has, and counts them.
    std::size_t drop_waiting();

    [[nodiscard]] const std::string& key() const noexcept { return key_; }

private:
    using Clock = NodeScheduler::Clock;

    void wait();
    [[nodiscard]] std::error_code accept_one();
    void accept_batch();
    void deal_rest();
    void pause(std::error_code error);
    void deal(Clock::time_point now);
    [[nodiscard]] bool hand_over(const NodeScheduler::Assignment& assignment,
                                 Clock::time_point now);
    void go_on();
    void look_again(Clock::time_point now);

    boost::asio::posix::stream_descriptor socket_;
    boost::asio::steady_timer pause_; ///< until there may be descriptors again
    boost::asio::steady_timer wake_;  ///< when the scheduler wants to go on
    std::string key_;
    Observer& observer_;

    NodeScheduler scheduler_;
    std::unordered_map<std::uint64_t, Carrier*> carriers_;
    std::unordered_map<Connection, sys::UniqueFd> connections_;
    Connection last_connection_ = 0;

    AcceptBudget budget_;
    AcceptThrottle throttle_;
    std::size_t rest_;     ///< most that are accepted after stop(); until then the backlog's length
    bool waiting_ = false; ///< for a connection, or for descriptors
    bool stopped_ = false;
};

} // namespace usher
