// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/dialect/node/cluster/node_scheduler.hpp"
#include "balancer/dispatch/connection_sink.hpp"
#include "balancer/dispatch/listener.hpp"
#include "common/sys/fd/unique_fd.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

namespace usher {

/// Accepts from one listening socket and deals the connections to Node workers, as NodeScheduler
/// decides.  It keeps each connection until a worker has accepted it, so that none is lost with a
/// worker, and accepts none that nobody can take: those wait in the kernel's backlog.
///
/// Lives as a shared pointer: a wait that is under way keeps it.  drop_waiting() must come before
/// its end.
class NodeListener final : public std::enable_shared_from_this<NodeListener>,
                           private ConnectionSink {
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

    /// `socket` listens and is non-blocking; `key` is what workers call it.
    NodeListener(const boost::asio::any_io_executor& executor, sys::UniqueFd socket,
                 std::string key, unsigned window, Listener::Observer& observer);
    ~NodeListener();

    /// Workers or clients are other users, who could have us wait where we close a connection that
    /// they have had: see close_elsewhere().
    void distrust() noexcept { is_distrusted_ = true; }

    void set_window(unsigned window);

    /// Accepts from `socket` from now on, and from the one before only what waits there, whatever
    /// the window.  Not after stop().  Throws std::system_error, std::bad_alloc: then that stays.
    void replace(sys::UniqueFd socket);

    /// `carrier`'s worker gets connections from now on; it must stay until remove() and lose().
    void add(Carrier& carrier);
    void remove(const Carrier& carrier) noexcept { scheduler_.remove(carrier.id()); }

    /// The worker is gone: what it has not accepted goes to others.  Returns how many those are.
    std::size_t lose(const Carrier& carrier);

    /// What became of a connection that `worker` was carried.
    void on_answer(std::uint64_t worker, Connection connection, Answer answer);

    /// Deals what waits in the backlog, whatever the window, over several turns of the event loop;
    /// then closes, and tells so, maybe at once.
    void stop();

    /// Accepts no more, and gives its socket away; it still hears what becomes of connections that
    /// workers have been carried.
    [[nodiscard]] sys::UniqueFd release() { return listener_->release(); }

    /// Closes without dealing anything more.
    void close() { listener_->close(); }
    [[nodiscard]] bool is_open() const noexcept { return listener_->is_open(); }
    [[nodiscard]] std::optional<std::size_t> waiting() const noexcept
    {
        return listener_->waiting();
    }
    [[nodiscard]] bool is(const Listener& listener) const noexcept
    {
        return listener_.get() == &listener;
    }

    /// Closes it, and the connections that no worker has, and counts them.
    std::size_t drop_waiting();

private:
    using Clock = NodeScheduler::Clock;

    [[nodiscard]] bool has_room() noexcept override;
    void give(sys::UniqueFd fd, const wire::HandoffRecord& record) override;
    void flush() override;
    void wait_for_room(Source& source) override { waiting_ = &source; }
    void forget(Source&) noexcept override { waiting_ = nullptr; }

    [[nodiscard]] std::shared_ptr<Listener> make_listener(sys::UniqueFd socket);
    void deal(Clock::time_point now);
    [[nodiscard]] bool hand_over(const NodeScheduler::Assignment& assignment,
                                 Clock::time_point now);
    void go_on();
    void look_again(Clock::time_point now);
    void let_go(sys::UniqueFd connection) const noexcept;

    Listener::Observer& observer_;
    std::shared_ptr<Listener> listener_;
    std::shared_ptr<Listener> replaced_; ///< hands off what waited there; null: there was none
    boost::asio::steady_timer wake_;     ///< when the scheduler wants to go on
    std::string key_;

    NodeScheduler scheduler_;
    std::unordered_map<std::uint64_t, Carrier*> carriers_;
    std::unordered_map<Connection, sys::UniqueFd> connections_;
    Source* waiting_ = nullptr; ///< for room; null: it accepts, or pauses by itself
    bool stopped_ = false;
    bool is_distrusted_ = false;
};

} // namespace usher
