// SPDX-License-Identifier: MIT
#include "balancer/worker/probe.hpp"

#include "balancer/config/units/duration.hpp"
#include "common/async/back_off.hpp"
#include "common/async/inbound_socket.hpp"
#include "common/async/sleep_for.hpp"
#include "common/sys/socket/channel_pair.hpp"
#include "common/sys/socket/fd_message.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <exception>
#include <optional>
#include <span>
#include <tuple>
#include <utility>
#include <variant>

namespace asio = boost::asio;
namespace http = boost::beast::http;

namespace usher {

namespace {

using namespace std::chrono_literals;
using namespace asio::experimental::awaitable_operators;

constexpr auto as_result = asio::as_tuple(asio::deferred);

/// The most bytes of an answer's head; nothing of its body is kept.
constexpr std::size_t longest_head = 8UL * 1024;

/// What is there by then; an error: it was hung up, or must not be read.
asio::awaitable<std::error_code> read_some(InboundSocket& socket, std::span<std::byte> buffer,
                                           InboundSocket::Message& chunk)
{
    std::error_code error;
    do {
        const auto [cancelled] = co_await socket.descriptor().async_wait(
            asio::posix::stream_descriptor::wait_read, as_result);
        if (cancelled)
            co_return std::error_code{cancelled};
        error = socket.receive(buffer, chunk);
    } while (error == std::errc::operation_would_block && !socket.has_found_descriptors());
    co_return error;
}

/// Why the worker's answer does not mean ready; empty: it does.
asio::awaitable<std::string> speak(InboundSocket& socket, const ProbeConfig& question)
{
    const auto request = fmt::format("GET {} HTTP/1.1\r\n"
                                     "Host: localhost\r\n"
                                     "User-Agent: usher-probe\r\n"
                                     "Accept: */*\r\n"
                                     "Connection: close\r\n"
                                     "\r\n",
                                     question.path);
    // There is room for it in a new pair.  Whoever answers and closes before it was asked has
    // answered all the same.
    std::size_t sent = 0;
    std::ignore = sys::send_stream(socket.fd(), std::as_bytes(std::span{request}), -1, sent);

    const auto name = name_of(question);
    std::array<std::byte, longest_head> buffer;
    std::size_t filled = 0;
    http::response_parser<http::empty_body> parser;
    parser.header_limit(longest_head);
    while (!parser.is_header_done()) {
        InboundSocket::Message chunk;
        const auto end = co_await read_some(socket, std::span{buffer}.subspan(filled), chunk);
        if (chunk.descriptors > 0 || socket.has_found_descriptors())
            co_return name + " was answered with descriptors, which do not belong there";
        if (end || chunk.size == 0)
            co_return name + " was hung up on before it was answered";
        filled += chunk.size;
        boost::system::error_code error;
        const auto used = parser.put(asio::buffer(buffer.data(), filled), error);
        std::copy(buffer.begin() + used, buffer.begin() + filled, buffer.begin());
        filled -= used;
        if (error == http::error::need_more && filled == buffer.size())
            error = http::error::header_limit;
        if (error && error != http::error::need_more)
            co_return fmt::format("{} has an answer that cannot be read: {}", name,
                                  error.message());
    }
    if (const auto status = parser.get().result_int(); status != question.expect)
        co_return fmt::format("{} answered {}, not {}", name, status, question.expect);
    co_return std::string{};
}

/// One question: `failure` is what it came to, and `socket` our end of a new pair, which stays open
/// if there is more to read.
struct Question {
    std::optional<InboundSocket> socket;
    std::string failure;
};

asio::awaitable<void> ask(Question& asked, const ResolvedPool& config, const ProbeConfig& question,
                          const std::function<std::error_code(int fd)>& hand_over)
{
    try {
        auto pair = sys::make_stream_pair();
        asked.socket.emplace(co_await asio::this_coro::executor, std::move(pair.parent),
                             config.account.is_other_user() ? InboundSocket::Senders::others
                                                            : InboundSocket::Senders::ours);
        asked.socket->refuse_descriptors();
        if (const auto error = hand_over(pair.child.get()))
            asked.failure =
                fmt::format("{} cannot be handed over: {}", name_of(question), error.message());
    } catch (const std::exception& e) {
        asked.failure = fmt::format("{} cannot be made: {}", name_of(question), e.what());
    }
    if (!asked.failure.empty()) {
        asked.socket.reset();
        co_return;
    }
    auto outcome = co_await (speak(*asked.socket, question) || sleep_for(question.timeout));
    if (outcome.index() == 0) {
        asked.failure = std::get<0>(std::move(outcome));
        co_return;
    }
    asked.socket.reset();
    asked.failure = fmt::format("{} had no answer within {}", name_of(question),
                                format_duration(question.timeout));
}

asio::awaitable<void> read_to_end(InboundSocket& socket)
{
    std::array<std::byte, 1024> ignored;
    InboundSocket::Message chunk;
    do {
        const auto error = co_await read_some(socket, ignored, chunk);
        if (error)
            break;
    } while (chunk.size > 0);
}

asio::awaitable<bool> is_cancelled()
{
    const auto state = co_await asio::this_coro::cancellation_state;
    co_return state.cancelled() != asio::cancellation_type::none;
}

} // namespace

std::string name_of(const ProbeConfig& probe)
{
    return "probe GET " + probe.path;
}

asio::awaitable<void> probe(std::shared_ptr<const ResolvedPool> config,
                            std::function<std::error_code(int fd)> hand_over,
                            std::function<void(std::string failure)> report)
{
    co_await asio::this_coro::throw_if_cancelled(false);
    // A worker that warms up is found ready soon, one that takes long is not pestered.
    BackOff waits{100ms, 1'000ms};
    std::optional<std::string> last;
    while (config->probe && !co_await is_cancelled()) {
        const ProbeConfig question = *config->probe;
        Question asked;
        co_await ask(asked, *config, question, hand_over);
        const auto& failure = asked.failure;
        if (co_await is_cancelled())
            break;
        if (std::exchange(last, failure) != failure)
            report(failure);
        // Closed now, the worker's next write of the answer would kill it by SIGPIPE.
        if (asked.socket)
            co_await (read_to_end(*asked.socket) || sleep_for(question.timeout));
        asked.socket.reset();
        if (failure.empty() || co_await is_cancelled())
            break;
        co_await sleep_for(waits.next());
    }
}

} // namespace usher
