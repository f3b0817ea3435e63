// SPDX-License-Identifier: MIT
#include "balancer/dialect/node/cluster/node_listener.hpp"

#include "common/async/closing_thread.hpp"

#include <optional>
#include <tuple>
#include <utility>

namespace asio = boost::asio;

namespace usher {

NodeListener::NodeListener(const asio::any_io_executor& executor, sys::UniqueFd socket,
                           std::string key, unsigned window, Listener::Observer& observer)
    : observer_{observer}, wake_{executor}, key_{std::move(key)}, scheduler_{window}
{
    listener_ = make_listener(std::move(socket));
    listener_->start();
}

std::shared_ptr<Listener> NodeListener::make_listener(sys::UniqueFd socket)
{
    ConnectionSink& sink = *this;
    return std::make_shared<Listener>(wake_.get_executor(), std::move(socket), std::uint16_t{0},
                                      sink, observer_);
}

NodeListener::~NodeListener()
{
    for (auto& [id, connection] : connections_)
        let_go(std::move(connection));
}

void NodeListener::let_go(sys::UniqueFd connection) const noexcept
{
    if (is_distrusted_)
        close_elsewhere(std::move(connection));
}

void NodeListener::set_window(unsigned window)
{
    scheduler_.set_window(window);
    go_on();
}

void NodeListener::replace(sys::UniqueFd socket)
{
    auto next = make_listener(std::move(socket));
    if (replaced_)
        replaced_->close();
    replaced_ = std::exchange(listener_, std::move(next));
    replaced_->stop(); // first, since only one is known to wait for room
    listener_->start();
}

void NodeListener::add(Carrier& carrier)
{
    carriers_[carrier.id()] = &carrier;
    scheduler_.add(carrier.id());
    go_on();
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
        if (auto closing = connections_.extract(connection))
            let_go(std::move(closing.mapped()));
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
    if (waiting_ != nullptr && scheduler_.has_room(now))
        std::exchange(waiting_, nullptr)->resume();
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

bool NodeListener::has_room() noexcept
{
    if (stopped_)
        return scheduler_.has_workers();
    return (replaced_ && replaced_->is_open()) || scheduler_.has_room(Clock::now());
}

void NodeListener::give(sys::UniqueFd fd, const wire::HandoffRecord& record)
{
    connections_.emplace(record.id, std::move(fd));
    scheduler_.offer(record.id);
    if (!stopped_)
        deal(Clock::now());
}

void NodeListener::flush()
{
    const auto now = Clock::now();
    // At the end, whatever the window: a worker reads what it is sent before the request to
    // disconnect that follows.
    auto assignment = stopped_ ? scheduler_.force() : std::nullopt;
    while (assignment && hand_over(*assignment, now))
        assignment = scheduler_.force();
    look_again(now); // what could not be sent goes later, if the worker is there for so long
}

void NodeListener::stop()
{
    stopped_ = true;
    listener_->stop();
}

std::size_t NodeListener::drop_waiting()
{
    listener_->close();
    if (replaced_)
        replaced_->close();
    const auto dropped = scheduler_.waiting();
    wake_.cancel();
    for (auto& [id, connection] : std::exchange(connections_, {}))
        let_go(std::move(connection));
    return dropped;
}

} // namespace usher
