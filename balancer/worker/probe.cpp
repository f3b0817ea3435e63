// SPDX-License-Identifier: MIT
#include "balancer/worker/probe.hpp"

#include "balancer/config/units/duration.hpp"
#include "common/async/adopt_fd.hpp"
#include "common/async/back_off.hpp"
#include "common/async/spawn.hpp"
#include "common/sys/socket/channel_pair.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <fmt/core.h>

#include <array>
#include <system_error>
#include <utility>
#include <variant>

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;

namespace usher {

namespace {

using namespace std::chrono_literals;

constexpr auto as_result = asio::as_tuple(asio::deferred);

/// The most bytes of an answer's head; nothing of its body is kept.
constexpr std::uint32_t longest_head = 8 * 1024;

} // namespace

Probe::Probe(const asio::any_io_executor& executor, std::shared_ptr<const PoolConfig> config,
             HandOver hand_over, Report report)
    : config_{std::move(config)},
      question_{config_->probe.value()},
      hand_over_{std::move(hand_over)},
      report_{std::move(report)},
      socket_{executor},
      timer_{executor},
      failure_{name() + " has no answer yet"}
{
}

std::string Probe::name() const
{
    return "probe GET " + question_.path;
}

void Probe::start()
{
    spawn(socket_.get_executor(), run(), shared_from_this());
}

void Probe::stop() noexcept
{
    stopped_ = true;
    hang_up();
    timer_.cancel();
}

void Probe::hang_up() noexcept
{
    boost::system::error_code ignored;
    socket_.close(ignored);
}

asio::awaitable<void> Probe::run()
{
    // A worker that warms up is found ready soon, one that takes long is not pestered.
    BackOff waits{100ms, 1'000ms};
    while (!stopped_ && config_->probe) {
        question_ = *config_->probe;
        const auto reason = co_await ask();
        if (stopped_)
            break;
        const bool passed = reason.empty();
        if (std::exchange(failure_, reason) != reason)
            report_(passed);
        // Closed now, the worker's next write of the answer would kill it by SIGPIPE.
        co_await read_to_end();
        hang_up();
        if (passed || stopped_)
            break;
        co_await pause(waits.next());
    }
}

asio::awaitable<void> Probe::pause(std::chrono::milliseconds duration)
{
    timer_.expires_after(duration);
    co_await timer_.async_wait(as_result);
}

/// Makes the connection and hands its other end to the worker; says what went wrong.
std::string Probe::connect()
{
    try {
        auto pair = sys::make_stream_pair();
        if (const auto error = hand_over_(pair.child.get()))
            return fmt::format("{} cannot be handed over: {}", name(), error.message());
        socket_ = adopt_fd<asio::local::stream_protocol::socket>(
            socket_.get_executor(), std::move(pair.parent), asio::local::stream_protocol{});
    } catch (const std::system_error& e) {
        return fmt::format("{} cannot be made: {}", name(), e.what());
    }
    return {};
}

/// Why this answer does not mean ready; empty: it does.
asio::awaitable<std::string> Probe::ask()
{
    using namespace asio::experimental::awaitable_operators;

    if (auto failure = connect(); !failure.empty())
        co_return failure;
    auto outcome = co_await (speak() || pause(question_.timeout));
    if (outcome.index() == 0)
        co_return std::get<0>(std::move(outcome));
    hang_up();
    co_return fmt::format("{} had no answer within {}", name(), format_duration(question_.timeout));
}

asio::awaitable<std::string> Probe::speak()
{
    const auto request = fmt::format("GET {} HTTP/1.1\r\n"
                                     "Host: localhost\r\n"
                                     "User-Agent: usher-probe\r\n"
                                     "Accept: */*\r\n"
                                     "Connection: close\r\n"
                                     "\r\n",
                                     question_.path);
    // Whoever answers and closes before it was asked has answered all the same.
    co_await asio::async_write(socket_, asio::buffer(request), as_result);

    beast::flat_buffer buffer{longest_head};
    http::response_parser<http::empty_body> parser;
    parser.header_limit(longest_head);
    const auto [error, size] = co_await http::async_read_header(socket_, buffer, parser, as_result);
    if (error == http::error::end_of_stream || error == http::error::partial_message ||
        error == asio::error::connection_reset)
        co_return fmt::format("{} was hung up on before it was answered", name());
    if (error)
        co_return fmt::format("{} has an answer that cannot be read: {}", name(), error.message());
    if (const auto status = parser.get().result_int(); status != question_.expect)
        co_return fmt::format("{} answered {}, not {}", name(), status, question_.expect);
    co_return std::string{};
}

/// Waits for the end of the answer, for as long as an answer may take.
asio::awaitable<void> Probe::read_to_end()
{
    using namespace asio::experimental::awaitable_operators;

    const auto read = [this]() -> asio::awaitable<void> {
        std::array<char, 1024> ignored;
        for (bool more = true; more;) {
            const auto [error, size] =
                co_await socket_.async_read_some(asio::buffer(ignored), as_result);
            more = !error;
        }
    };
    if (socket_.is_open() && !stopped_)
        co_await (read() || pause(question_.timeout));
}

} // namespace usher
