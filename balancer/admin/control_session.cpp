// SPDX-License-Identifier: MIT
#include "balancer/admin/control_session.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>

#include <exception>
#include <optional>
#include <utility>

namespace asio = boost::asio;

namespace usher {

namespace {

constexpr auto result = asio::as_tuple(asio::deferred);
constexpr std::size_t longest_request = 64 * 1024;
constexpr std::size_t most_queued_lines = 4'096; ///< a client that does not read misses the rest

} // namespace

ControlSession::ControlSession(const asio::any_io_executor& executor, sys::UniqueFd socket,
                               Operations& operations)
    : socket_{executor, asio::local::stream_protocol{}, socket.release()},
      operations_{operations},
      queued_{executor}
{
}

void ControlSession::start()
{
    spawn(run());
}

void ControlSession::spawn(asio::awaitable<void> part)
{
    // The handler keeps the session while the part runs.
    asio::co_spawn(socket_.get_executor(), std::move(part),
                   [self = shared_from_this()](const std::exception_ptr& error) {
                       if (error)
                           std::rethrow_exception(error); // a bug: main() reports it
                   });
}

void ControlSession::close() noexcept
{
    closed_ = true;
    boost::system::error_code ignored;
    socket_.close(ignored);
    queued_.notify_all();
}

void ControlSession::queue(std::string line)
{
    if (queue_.size() < most_queued_lines)
        queue_.push_back(std::move(line));
    queued_.notify_all();
}

asio::awaitable<void> ControlSession::write_queued()
{
    while (!closed_ && !(finished_ && queue_.empty())) {
        if (queue_.empty()) {
            co_await queued_.wait();
            continue;
        }
        const auto line = std::move(queue_.front());
        queue_.pop_front();
        const auto [error, size] = co_await asio::async_write(socket_, asio::buffer(line), result);
        if (error)
            close(); // nobody listens any more; what was asked for goes on
    }
    close();
}

asio::awaitable<void> ControlSession::run()
{
    std::string line;
    const auto [error, size] = co_await asio::async_read_until(
        socket_, asio::dynamic_buffer(line, longest_request), '\n', result);
    if (error)
        co_return;
    auto request = decode_request(std::string_view{line}.substr(0, size));

    // What happens meanwhile is progress for whoever asked for something, and all there is for
    // whoever asked for events.
    std::optional<EventBus::Subscription> subscription;
    if (!std::holds_alternative<StatusRequest>(request))
        subscription.emplace(operations_.events(),
                             [this](const Event& event) { queue(encode(event)); });
    spawn(write_queued());

    if (std::holds_alternative<EventsRequest>(request))
        co_await wait_for_hang_up();
    else
        queue(encode(co_await carry_out(std::move(request))));
    finished_ = true;
    queued_.notify_all();
}

asio::awaitable<void> ControlSession::wait_for_hang_up()
{
    char ignored = 0;
    for (;;) {
        const auto [error, size] =
            co_await socket_.async_read_some(asio::buffer(&ignored, 1), result);
        if (error)
            co_return;
    }
}

asio::awaitable<Reply> ControlSession::carry_out(Request request)
{
    if (std::holds_alternative<StatusRequest>(request)) {
        queue(encode_status(operations_.status()));
        co_return Reply{};
    }
    if (const auto* const reload = std::get_if<ReloadRequest>(&request)) {
        if (reload->dry_run)
            co_return operations_.plan();
        co_return co_await operations_.reload();
    }
    if (const auto* const drain = std::get_if<DrainRequest>(&request))
        co_return co_await operations_.drain(drain->pool, drain->slot);
    if (const auto* const restart = std::get_if<RestartRequest>(&request))
        co_return co_await operations_.restart(restart->pool, restart->slot);
    if (const auto* const scale = std::get_if<ScaleRequest>(&request))
        co_return co_await operations_.scale(scale->pool, scale->workers);
    if (const auto* const stop = std::get_if<StopRequest>(&request))
        co_return operations_.stop(stop->fast);
    if (const auto* const bad = std::get_if<BadRequest>(&request))
        co_return Reply{.code = ExitCode::usage, .message = bad->reason};
    co_return Reply{};
}

} // namespace usher
