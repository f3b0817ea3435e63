// SPDX-License-Identifier: MIT
#include "balancer/dialect/node/cluster/node_listener.hpp"

#include "common/async/adopt_fd.hpp"
#include "common/sys/socket/accept.hpp"
#include "common/sys/socket/backlog.hpp"
#include "common/sys/socket/socket_address.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <tuple>
#include <utility>

namespace asio = boost::asio;

namespace usher {

NodeListener::NodeListener(const asio::any_io_executor& executor, sys::UniqueFd socket,
                           unsigned backlog, std::string key, unsigned window, Observer& observer)
    : socket_{adopt_fd<asio::posix::stream_descriptor>(executor, std::move(socket))},
      pause_{executor},
      wake_{executor},
      key_{std::move(key)},
      observer_{observer},
      scheduler_{window},
      rest_{backlog}
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

void NodeListener::on_answer(std::uint64_t worker, Connection connection, Answer answer)
{
    scheduler_.on_answer(worker, connection, answer, Clock::now());
    if (answer == Answer::accepted)
        connections_.erase(connection);
    go_on();
}

/// False if it cannot be sent now.
bool NodeListener::hand_over(const NodeScheduler::Assignment& assignment, Clock::time_point now)
{
    const auto [connection, worker] = assignment;
    const bool is_sent = carriers_.at(worker)->carry(shared_from_this(), key_, connection,
                                                     connections_.at(connection).get());
    if (!is_sent)
        scheduler_.on_answer(worker, connection, Answer::unsent, now);
    return is_sent;
}

void NodeListener::deal(Clock::time_point now)
{
    while (const auto assignment = scheduler_.next(now))
        std::ignore = hand_over(*assignment, now);
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

std::error_code NodeListener::accept_one()
{
    sys::UniqueFd connection;
    sys::SocketAddress peer;
    const auto error = sys::accept_connection(socket_.native_handle(), connection, peer);
    if (!error) {
        connections_.emplace(++last_connection_, std::move(connection));
        scheduler_.offer(last_connection_);
    }
    return error;
}

void NodeListener::accept_batch()
{
    const auto now = Clock::now();
    std::size_t accepted = 0;
    std::error_code error;
    bool has_room = true;
    for (auto left = budget_.limit(); left > 0 && (!error || sys::is_accept_noise(error)); --left) {
        has_room = scheduler_.has_room(now);
        if (!has_room)
            break;
        error = accept_one();
        if (error)
            continue;
        throttle_.on_success();
        ++accepted;
        deal(now);
    }
    const bool drained = error == std::errc::operation_would_block;
    if (error && !drained && !sys::is_accept_noise(error))
        return pause(error);
    budget_.on_batch(accepted, drained);
    look_again(now);
    if (has_room) // else go_on() comes with the next answer
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
    // Whoever is in the backlog believes to be connected already; closing would reset them.  One
    // batch more or less is for those whose handshake ends meanwhile; a flood must not keep us
    // here.
    rest_ = std::max(sys::waiting_in_backlog(socket_.native_handle()).value_or(rest_),
                     AcceptBudget::full_batch);
    deal_rest();
}

void NodeListener::deal_rest()
{
    if (!is_open())
        return;
    auto left = std::min(rest_, AcceptBudget::full_batch);
    rest_ -= left;
    std::error_code error;
    for (; left > 0 && scheduler_.has_workers() && (!error || sys::is_accept_noise(error)); --left)
        error = accept_one();
    // A worker reads what it is sent before the request to disconnect that follows.
    const auto now = Clock::now();
    auto assignment = scheduler_.force();
    while (assignment && hand_over(*assignment, now))
        assignment = scheduler_.force();
    look_again(now); // what could not be sent goes later, if the worker is there for so long
    if (left > 0 || rest_ == 0)
        return close();
    // By way of the event loop: a signal may want an end to this.
    asio::post(socket_.get_executor(), [self = shared_from_this()] { self->deal_rest(); });
}

void NodeListener::close()
{
    if (!is_open())
        return;
    boost::system::error_code ignored;
    socket_.close(ignored);
    observer_.on_closed();
}

std::size_t NodeListener::drop_waiting()
{
    const auto dropped = scheduler_.waiting();
    wake_.cancel();
    connections_.clear();
    return dropped;
}

} // namespace usher
