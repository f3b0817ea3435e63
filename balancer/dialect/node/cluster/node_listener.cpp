// SPDX-License-Identifier: MIT
#include "balancer/dialect/node/cluster/node_listener.hpp"

#include "common/sys/socket/accept.hpp"
#include "common/sys/socket/socket_address.hpp"

#include <utility>

namespace asio = boost::asio;

namespace usher {

NodeListener::NodeListener(const asio::any_io_executor& executor, sys::UniqueFd socket,
                           std::string key, unsigned window, Observer& observer)
    : socket_{executor, socket.release()},
      pause_{executor},
      wake_{executor},
      key_{std::move(key)},
      observer_{observer},
      scheduler_{window}
{
}

void NodeListener::set_window(unsigned window)
{
    scheduler_.set_window(window);
    go_on();
}

void NodeListener::add(Carrier& carrier)
{
    carriers_[carrier.id()] = &carrier;
    scheduler_.add(carrier.id());
    go_on();
}

void NodeListener::remove(const Carrier& carrier) noexcept
{
    scheduler_.remove(carrier.id());
}

std::size_t NodeListener::lose(const Carrier& carrier)
{
    const auto lost = scheduler_.lose(carrier.id());
    carriers_.erase(carrier.id());
    go_on();
    return lost;
}

void NodeListener::on_accepted(std::uint64_t worker, Connection connection)
{
    scheduler_.on_accepted(worker, connection);
    release(connection);
    go_on();
}

void NodeListener::on_refused(std::uint64_t worker, Connection connection)
{
    scheduler_.on_refused(worker, connection);
    go_on();
}

void NodeListener::on_undelivered(std::uint64_t worker, Connection connection)
{
    scheduler_.on_undelivered(worker, connection, Clock::now());
    go_on();
}

NodeListener::Connection NodeListener::keep(sys::UniqueFd fd)
{
    if (free_.empty()) {
        connections_.push_back(std::move(fd));
        return static_cast<Connection>(connections_.size() - 1);
    }
    const auto connection = free_.back();
    free_.pop_back();
    connections_[connection] = std::move(fd);
    return connection;
}

void NodeListener::release(Connection connection) noexcept
{
    connections_[connection].reset();
    free_.push_back(connection);
}

bool NodeListener::hand_over(const NodeScheduler::Assignment& assignment)
{
    return carriers_.at(assignment.worker)
        ->carry(shared_from_this(), assignment.connection,
                connections_[assignment.connection].get());
}

void NodeListener::deal(Clock::time_point now)
{
    while (const auto assignment = scheduler_.next(now))
        if (!hand_over(*assignment))
            scheduler_.on_unsent(assignment->worker, assignment->connection, now);
}

/// Something may have changed that lets connections go on.
void NodeListener::go_on()
{
    const auto now = Clock::now();
    deal(now);
    look_again(now);
    if (!stopped_ && !waiting_ && scheduler_.has_room(now))
        accept_batch();
}

/// Some of what the scheduler waits for is only time.
void NodeListener::look_again(Clock::time_point now)
{
    const auto wake = scheduler_.wake_at(now);
    if (!wake)
        return;
    wake_.expires_at(*wake);
    wake_.async_wait([self = shared_from_this()](const boost::system::error_code& cancelled) {
        if (!cancelled)
            self->go_on();
    });
}

void NodeListener::wait()
{
    waiting_ = true;
    socket_.async_wait(asio::posix::stream_descriptor::wait_read,
                       [self = shared_from_this()](const boost::system::error_code& error) {
                           self->waiting_ = false;
                           if (!error && !self->stopped_)
                               self->accept_batch();
                       });
}

void NodeListener::accept_batch()
{
    const auto now = Clock::now();
    const auto limit = budget_.limit();
    std::size_t accepted = 0;
    bool drained = false;
    for (std::size_t attempts = 0; attempts < limit; ++attempts) {
        if (!scheduler_.has_room(now)) {
            budget_.on_batch(accepted, false);
            return look_again(now); // and go_on() comes with the next answer
        }
        sys::UniqueFd connection;
        sys::SocketAddress peer;
        const auto error = sys::accept_connection(socket_.native_handle(), connection, peer);
        if (error && sys::is_accept_noise(error))
            continue;
        if (error) {
            drained = error == std::errc::operation_would_block;
            if (!drained)
                return pause(error);
            break;
        }
        throttle_.on_success();
        scheduler_.offer(keep(std::move(connection)));
        ++accepted;
        ++accepted_;
        deal(now);
    }
    budget_.on_batch(accepted, drained);
    look_again(now);
    wait();
}

void NodeListener::pause(std::error_code error)
{
    const auto pause = throttle_.on_failure(AcceptThrottle::Clock::now());
    if (pause.report)
        observer_.on_accept_failure(*this, error, pause.duration);
    waiting_ = true;
    pause_.expires_after(pause.duration);
    pause_.async_wait([self = shared_from_this()](const boost::system::error_code& cancelled) {
        self->waiting_ = false;
        if (!cancelled && !self->stopped_)
            self->wait();
    });
}

void NodeListener::stop()
{
    if (std::exchange(stopped_, true))
        return;
    pause_.cancel();
    // Whoever is in the backlog believes to be connected already; closing would reset them.  A
    // worker reads what it is sent before the request to disconnect that follows.
    sys::UniqueFd connection;
    sys::SocketAddress peer;
    while (scheduler_.has_workers()) {
        const auto error = sys::accept_connection(socket_.native_handle(), connection, peer);
        if (error && sys::is_accept_noise(error))
            continue;
        if (error)
            break;
        ++accepted_;
        scheduler_.offer(keep(std::move(connection)));
    }
    while (const auto assignment = scheduler_.force()) {
        if (hand_over(*assignment))
            continue;
        // Later, then, if the worker is there for so long.
        const auto now = Clock::now();
        scheduler_.on_unsent(assignment->worker, assignment->connection, now);
        look_again(now);
        break;
    }
    boost::system::error_code ignored;
    socket_.close(ignored);
}

std::size_t NodeListener::drop_waiting()
{
    const auto dropped = scheduler_.waiting();
    wake_.cancel();
    for (auto& connection : connections_)
        connection.reset();
    return dropped;
}

} // namespace usher
