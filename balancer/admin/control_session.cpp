// SPDX-License-Identifier: MIT
#include "balancer/admin/control_session.hpp"

#include "balancer/config/units/limits.hpp"
#include "common/async/adopt_fd.hpp"
#include "common/async/spawn.hpp"
#include "common/sys/syscall.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/read_until.hpp>
#include <fmt/core.h>

#include <string_view>
#include <utility>

#include <sys/socket.h>

namespace asio = boost::asio;

namespace usher {

namespace {

constexpr auto as_result = asio::as_tuple(asio::deferred);

/// In the longest message every second byte may have to be escaped once more.
constexpr std::size_t longest_request = 2 * longest_message + 1024UL * 1024;
constexpr std::size_t most_queued_bytes =
    1024UL * 1024; ///< a client that does not read misses the rest

} // namespace

ControlSession::ControlSession(const asio::any_io_executor& executor, sys::UniqueFd socket,
                               Operations& operations)
    : socket_{adopt_fd<asio::local::stream_protocol::socket>(executor, std::move(socket),
                                                             asio::local::stream_protocol{})},
      limit_{executor},
      operations_{operations},
      changed_{executor}
{
}

void ControlSession::start()
{
    // The handler keeps the session while it runs.
    spawn(socket_.get_executor(), run(), shared_from_this());
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
    limit_.cancel();
    changed_.notify_all();
}

void ControlSession::queue(const std::string& line)
{
    if (closed_)
        return;
    // Once it begins to miss lines it misses all until it has caught up, and is told then.
    if (dropped_ > 0 || queue_.size() - sent_ > most_queued_bytes) {
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
    while (!closed_) {
        if (sent_ < queue_.size()) {
            if (send_some())
                continue;
            return;
        }
        queue_.clear();
        sent_ = 0;
        if (dropped_ == 0)
            break;
        queue_ = encode_dropped(std::exchange(dropped_, 0));
    }
    changed_.notify_all();
}

/// False if nothing more can be sent now.
bool ControlSession::send_some()
{
    const auto rest = std::string_view{queue_}.substr(sent_);
    const auto count = sys::retry_on_eintr([&] {
        return ::send(socket_.native_handle(), rest.data(), rest.size(),
                      MSG_DONTWAIT | MSG_NOSIGNAL);
    });
    if (count >= 0) {
        sent_ += static_cast<std::size_t>(count);
        return true;
    }
    if (sys::last_error() == std::errc::operation_would_block)
        wait_for_room();
    else
        hang_up(); // nobody listens any more; what was asked for goes on
    return false;
}

void ControlSession::wait_for_room()
{
    queue_.erase(0, std::exchange(sent_, 0));
    if (std::exchange(waiting_, true))
        return;
    socket_.async_wait(asio::socket_base::wait_write,
                       [self = shared_from_this()](const boost::system::error_code& error) {
                           self->waiting_ = false;
                           if (!error)
                               self->send_queued();
                       });
}

asio::awaitable<std::optional<Request>> ControlSession::read_request()
{
    limit_.expires_after(patience);
    limit_.async_wait([self = shared_from_this()](const boost::system::error_code& cancelled) {
        if (!cancelled)
            self->hang_up();
    });
    std::string line;
    const auto [error, size] = co_await asio::async_read_until(
        socket_, asio::dynamic_buffer(line, longest_request), '\n', as_result);
    limit_.cancel();
    if (error == asio::error::not_found)
        co_return BadRequest{.reason = fmt::format("a request has at most {} MiB",
                                                   longest_request / (1024UL * 1024))};
    if (error)
        co_return std::nullopt;
    co_return decode_request(std::string_view{line}.substr(0, size));
}

asio::awaitable<void> ControlSession::run()
{
    auto request = co_await read_request();
    if (!request)
        co_return hang_up();

    if (const auto* const events = std::get_if<EventsRequest>(&*request)) {
        for (const auto& event : operations_.events().recent())
            queue(encode(event));
        if (events->follow)
            co_await follow_events();
        const Outcome done; // g++ 12 destroys a {} in the next line twice
        co_return co_await finish(done);
    }
    // What happens meanwhile is progress for whoever asked for something.
    std::optional<EventBus::Subscription> subscription;
    if (!std::holds_alternative<StatusRequest>(*request))
        subscription.emplace(operations_.events(),
                             [this](const Event& event) { queue(encode(event)); });
    const auto reply = co_await carry_out(std::move(*request));
    subscription.reset();
    co_await finish(reply);
}

/// Until the client hangs up or close().
asio::awaitable<void> ControlSession::follow_events()
{
    const EventBus::Subscription subscription{operations_.events(),
                                              [this](const Event& event) { queue(encode(event)); }};
    char ignored = 0;
    for (bool more = true; more;) {
        const auto [error, size] =
            co_await socket_.async_read_some(asio::buffer(&ignored, 1), as_result);
        more = !error;
    }
}

asio::awaitable<void> ControlSession::finish(const Outcome& reply)
{
    // The result must not be missed, however much is queued before it.
    if (dropped_ > 0)
        queue_ += encode_dropped(std::exchange(dropped_, 0));
    queue_ += encode(reply);
    if (!waiting_)
        send_queued();

    const auto deadline = Condition::TimePoint::clock::now() + patience;
    while (!closed_ && sent_ < queue_.size() && Condition::TimePoint::clock::now() < deadline)
        co_await changed_.wait(deadline);
    hang_up();
}

asio::awaitable<Outcome> ControlSession::carry_out(Request request)
{
    if (std::holds_alternative<StatusRequest>(request)) {
        queue(encode_status(operations_.status()));
        co_return Outcome{};
    }
    if (const auto* const reload = std::get_if<ReloadRequest>(&request)) {
        if (reload->dry_run)
            co_return co_await operations_.plan();
        co_return co_await operations_.reload();
    }
    if (const auto* const drain = std::get_if<DrainRequest>(&request))
        co_return co_await operations_.drain(drain->pool, drain->slot);
    if (const auto* const restart = std::get_if<RestartRequest>(&request))
        co_return co_await operations_.restart(restart->pool, restart->slot);
    if (const auto* const scale = std::get_if<ScaleRequest>(&request))
        co_return co_await operations_.scale(scale->pool, scale->workers);
    if (auto* const send = std::get_if<SendRequest>(&request))
        co_return operations_.send(send->pool, send->slot, std::move(send->message));
    if (const auto* const stop = std::get_if<StopRequest>(&request)) {
        const auto reply = operations_.stop(stop->fast);
        while (stop->wait && !closed_)
            co_await changed_.wait();
        co_return reply;
    }
    if (const auto* const bad = std::get_if<BadRequest>(&request))
        co_return Outcome{.kind = Outcome::Kind::bad_request, .message = bad->reason};
    co_return Outcome{};
}

} // namespace usher
