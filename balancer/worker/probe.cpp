// SPDX-License-Identifier: MIT
#include "balancer/worker/probe.hpp"

#include "balancer/config/units/duration.hpp"
#include "common/async/adopt_fd.hpp"
#include "common/async/back_off.hpp"
#include "common/async/sleep_for.hpp"
#include "common/sys/socket/channel_pair.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <fmt/core.h>

#include <array>
#include <exception>
#include <optional>
#include <utility>
#include <variant>

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;

namespace usher {

namespace {

using namespace std::chrono_literals;
using namespace asio::experimental::awaitable_operators;
using Socket = asio::local::stream_protocol::socket;

constexpr auto as_result = asio::as_tuple(asio::deferred);

/// The most bytes of an answer's head; nothing of its body is kept.
constexpr std::uint32_t longest_head = 8 * 1024;

/// Why the worker's answer does not mean ready; empty: it does.
asio::awaitable<std::string> speak(Socket& socket, const ProbeConfig& question)
{
    const auto request = fmt::format("GET {} HTTP/1.1\r\n"
                                     "Host: localhost\r\n"
                                     "User-Agent: usher-probe\r\n"
                                     "Accept: */*\r\n"
                                     "Connection: close\r\n"
                                     "\r\n",
                                     question.path);
    // Whoever answers and closes before it was asked has answered all the same.
    co_await asio::async_write(socket, asio::buffer(request), as_result);

    beast::flat_buffer buffer{longest_head};
    http::response_parser<http::empty_body> parser;
    parser.header_limit(longest_head);
    const auto [error, size] = co_await http::async_read_header(socket, buffer, parser, as_result);
    const auto name = name_of(question);
    if (error == http::error::end_of_stream || error == http::error::partial_message ||
        error == asio::error::connection_reset)
        co_return name + " was hung up on before it was answered";
    if (error)
        co_return fmt::format("{} has an answer that cannot be read: {}", name, error.message());
    if (const auto status = parser.get().result_int(); status != question.expect)
        co_return fmt::format("{} answered {}, not {}", name, status, question.expect);
    co_return std::string{};
}

/// The same of one question at our end of a new pair, `socket`, which stays open if there is more
/// to read.
asio::awaitable<std::string> ask(Socket& socket, const ProbeConfig& question,
                                 const std::function<std::error_code(int fd)>& hand_over)
{
    try {
        auto pair = sys::make_stream_pair();
        if (const auto error = hand_over(pair.child.get()))
            co_return fmt::format("{} cannot be handed over: {}", name_of(question),
                                  error.message());
        socket = adopt_fd<Socket>(socket.get_executor(), std::move(pair.parent),
                                  asio::local::stream_protocol{});
    } catch (const std::exception& e) {
        co_return fmt::format("{} cannot be made: {}", name_of(question), e.what());
    }
    auto outcome = co_await (speak(socket, question) || sleep_for(question.timeout));
    if (outcome.index() == 0)
        co_return std::get<0>(std::move(outcome));
    socket.close();
    co_return fmt::format("{} had no answer within {}", name_of(question),
                          format_duration(question.timeout));
}

asio::awaitable<void> read_to_end(Socket& socket)
{
    std::array<char, 1024> ignored;
    for (bool more = socket.is_open(); more;) {
        const auto [error, size] =
            co_await socket.async_read_some(asio::buffer(ignored), as_result);
        more = !error;
    }
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

asio::awaitable<void> probe(std::shared_ptr<const PoolConfig> config,
                            std::function<std::error_code(int fd)> hand_over,
                            std::function<void(std::string failure)> report)
{
    co_await asio::this_coro::throw_if_cancelled(false);
    // A worker that warms up is found ready soon, one that takes long is not pestered.
    BackOff waits{100ms, 1'000ms};
    std::optional<std::string> last;
    while (config->probe && !co_await is_cancelled()) {
        const ProbeConfig question = *config->probe;
        Socket socket{co_await asio::this_coro::executor};
        const auto failure = co_await ask(socket, question, hand_over);
        if (co_await is_cancelled())
            break;
        if (std::exchange(last, failure) != failure)
            report(failure);
        // Closed now, the worker's next write of the answer would kill it by SIGPIPE.
        co_await (read_to_end(socket) || sleep_for(question.timeout));
        socket.close();
        if (failure.empty() || co_await is_cancelled())
            break;
        co_await sleep_for(waits.next());
    }
}

} // namespace usher
