// SPDX-License-Identifier: MIT
#include "balancer/admin/control_session.hpp"

#include "balancer/admin/snapshot/snapshot_json.hpp"
#include "balancer/config/units/limits.hpp"
#include "common/async/adopt_fd.hpp"
#include "common/async/sleep_for.hpp"
#include "common/async/spawn.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <utility>
#include <variant>

#include <poll.h>
#include <sys/socket.h>

namespace asio = boost::asio;

namespace usher {

namespace {

constexpr auto as_result = asio::as_tuple(asio::deferred);

/// In the longest message every second byte may have to be escaped once more.
constexpr std::size_t longest_request = 2 * longest_message + 1024UL * 1024;
constexpr std::size_t most_taken_bytes = 64UL * 1024;
constexpr std::size_t most_queued_bytes =
    1024UL * 1024; ///< a client that does not read misses the rest

} // namespace

ControlSession::ControlSession(const asio::any_io_executor& executor, sys::UniqueFd socket,
                               Operations& operations, std::function<bool()> has_room)
    : socket_{adopt_fd<asio::local::stream_protocol::socket>(executor, std::move(socket),
                                                             asio::local::stream_protocol{})},
      operations_{operations},
      has_room_{std::move(has_room)}
{
    socket_.non_blocking(true);
}

void ControlSession::start()
{
    // The handler keeps the session while it runs.
    spawn(socket_.get_executor(), run(), shared_from_this());
}

void ControlSession::make_way()
{
    queue_ += encode(ControlPlaces::refusal());
    close();
}

void ControlSession::close()
{
    if (!closed_)
        send_queued();
    hang_up();
}

void ControlSession::hang_up() noexcept
{
    closed_ = true;
    boost::system::error_code ignored;
    socket_.close(ignored);
    changed_.notify_all();
}

void ControlSession::queue(const std::string& line)
{
    if (closed_)
        return;
    // Once it begins to miss lines it misses all until it has caught up, and is told then.
    if (dropped_ > 0 || queue_.size() > most_queued_bytes) {
        ++dropped_;
        return;
    }
    queue_ += line;
    if (!waiting_)
        send_queued();
}

/// Sends as much as the socket takes now, and the rest when it takes more.
void ControlSession::send_queued()
{
    boost::system::error_code error;
    while (!error && (!queue_.empty() || dropped_ > 0)) {
        if (queue_.empty())
            queue_ = encode_dropped(std::exchange(dropped_, 0));
        queue_.erase(0, socket_.write_some(asio::buffer(queue_), error));
    }
    changed_.notify_all();
    if (!error)
        return;
    if (error != asio::error::would_block)
        return hang_up(); // nobody listens any more; what was asked for goes on
    wait_for_room();
}

void ControlSession::wait_for_room()
{
    if (std::exchange(waiting_, true))
        return;
    socket_.async_wait(asio::socket_base::wait_write,
                       [self = shared_from_this()](const boost::system::error_code& cancelled) {
                           self->waiting_ = false;
                           if (cancelled)
                               return;
                           self->send_queued();
                           self->take_from_bus();
                       });
}

asio::awaitable<void> ControlSession::run()
{
    using namespace asio::experimental::awaitable_operators;
    std::string line;
    const auto request =
        co_await (asio::async_read_until(socket_, asio::dynamic_buffer(line, longest_request), '\n',
                                         asio::as_tuple(asio::use_awaitable)) ||
                  sleep_for(patience));
    if (request.index() == 1)
        co_return hang_up();
    const auto [error, size] = std::get<0>(request);
    if (error && error != asio::error::not_found)
        co_return hang_up();

    Outcome reply;
    if (error)
        reply = Outcome::bad_request(
            fmt::format("a request has at most {} MiB", longest_request / (1024UL * 1024)));
    else
        reply = co_await answer(std::string_view{line}.substr(0, size));
    client_ = ControlPlaces::Client::silent;

    // The result must not be missed, however much is queued before it.
    if (dropped_ > 0)
        queue_ += encode_dropped(std::exchange(dropped_, 0));
    queue_ += encode(reply);
    if (!waiting_ && !closed_)
        send_queued();
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (!closed_ && !queue_.empty() && std::chrono::steady_clock::now() < deadline)
        co_await changed_.wait(deadline);
    hang_up();
}

asio::awaitable<Outcome> ControlSession::answer(std::string_view line)
{
    using enum Request::Command;
    Request request;
    try {
        request = decode_request(line);
    } catch (const std::runtime_error& e) {
        co_return Outcome::bad_request(e.what());
    }
    if (request.command == status) {
        queue(encode_status(to_json(co_await operations_.snapshots().take())));
        co_return Outcome{};
    }
    const bool is_short = request.command == events && !request.follow;
    if (!is_short && request.command != stop && !has_room_())
        co_return ControlPlaces::refusal();
    if (request.command == events)
        for (const auto& event : operations_.events().recent())
            queue(encode(event));
    if (is_short)
        co_return Outcome{};
    client_ = ControlPlaces::Client::served;
    if (request.command == bus)
        co_return co_await speak(request);
    // What happens meanwhile is progress for whoever asked for something.
    const EventBus::Subscription subscription{operations_.events(),
                                              [this](const Event& event) { queue(encode(event)); }};
    if (request.command == events) {
        co_await client_end();
        co_return Outcome{};
    }
    watch_client();
    const bool waits = request.command == stop && request.wait;
    const auto reply = co_await operations_.carry_out(std::move(request));
    while (waits && !closed_)
        co_await changed_.wait();
    co_return reply;
}

/// Until the client hangs up, which knows what it waits for, close(), or the end of the bus.
asio::awaitable<Outcome> ControlSession::speak(const Request& request)
{
    Outcome refusal;
    auto bus = operations_.find_bus(request.pool, refusal);
    if (!bus)
        co_return refusal;
    bus_.emplace(std::move(bus), [this] { take_from_bus(); });
    for (std::string_view rest = request.message; !rest.empty();) {
        const auto line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(line.size() + 1, rest.size()));
        bus_->say(line);
    }
    using namespace asio::experimental::awaitable_operators;
    co_await (client_end() || bus_end());
    Outcome outcome;
    if (bus_->is_over())
        outcome = Outcome::failure(
            fmt::format("the bus of \"{}\" is gone: a reload has removed its pool", bus_->group()));
    bus_.reset();
    co_return outcome;
}

asio::awaitable<void> ControlSession::bus_end()
{
    while (!bus_->is_over())
        co_await changed_.wait();
}

/// Only as much as the client reads, so that the bus bounds what waits and a copy of the store
/// misses nothing.  A little at a time, since others have their turn, too.
void ControlSession::take_from_bus()
{
    if (bus_ && bus_->is_over())
        changed_.notify_all();
    if (!bus_ || closed_ || waiting_)
        return;
    while (queue_.size() < most_taken_bytes) {
        const auto line = bus_->next();
        if (!line)
            break;
        queue_ += encode_bus(*line);
    }
    if (queue_.empty())
        return;
    send_queued();
    if (!closed_)
        wait_for_room();
}

/// Hangs up when the client has gone.  One that has only said all it has to say waits for its
/// answer: that is end-of-file, and EPOLLHUP shows when both directions are shut.
void ControlSession::watch_client()
{
    if (closed_)
        return;
    const auto on_end = [weak = weak_from_this()](const boost::system::error_code& cancelled) {
        const auto self = weak.lock();
        if (cancelled || !self || self->closed_)
            return;
        const int fd = self->socket_.native_handle();
        pollfd end{.fd = fd, .events = 0, .revents = 0};
        if (::poll(&end, 1, 0) > 0)
            return self->hang_up();
        // It was urgent data, which would wake us again and again.
        char urgent = 0;
        if (::recv(fd, &urgent, 1, MSG_OOB | MSG_DONTWAIT) >= 0)
            self->watch_client();
    };
    socket_.async_wait(asio::socket_base::wait_error, on_end);
}

/// Until the client hangs up or close().
asio::awaitable<void> ControlSession::client_end()
{
    char ignored = 0;
    for (bool more = true; more;) {
        const auto [error, size] =
            co_await socket_.async_read_some(asio::buffer(&ignored, 1), as_result);
        more = !error;
    }
}

} // namespace usher
