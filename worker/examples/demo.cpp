// SPDX-License-Identifier: MIT
// A worker for demonstrations and tests; demo_service.hpp says what it answers.
#include "demo_service.hpp"

#include <usher/worker/acceptor.hpp>

#include <CLI/CLI.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <nlohmann/json.hpp>

#include <csignal>
#include <cstdio>
#include <exception>
#include <sstream>
#include <string>
#include <utility>

#include <sys/socket.h>

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using usher::worker::Acceptor;
using usher::worker::Connection;

namespace {

constexpr auto result = asio::as_tuple(asio::deferred);
constexpr std::chrono::seconds idle_timeout{30};
constexpr std::uint64_t most_body_bytes = std::uint64_t{64} * 1024 * 1024;

std::string text_of(const usher::worker::Endpoint& endpoint)
{
    if (endpoint.protocol().family() == AF_UNIX)
        return "unix";
    asio::ip::tcp::endpoint tcp;
    tcp.resize(endpoint.size());
    std::memcpy(tcp.data(), endpoint.data(), endpoint.size());
    std::ostringstream text;
    text << tcp;
    return text.str();
}

void rethrow(const std::exception_ptr& error)
{
    if (error)
        std::rethrow_exception(error);
}

asio::awaitable<void> serve(Connection connection, const Acceptor& acceptor, demo::Service& service)
{
    const nlohmann::json facts{{"peer", text_of(connection.peer)},
                               {"local", text_of(connection.local())},
                               {"listener", connection.listener},
                               {"connection", connection.id}};
    beast::basic_stream<asio::generic::stream_protocol> stream{std::move(connection.socket)};
    beast::flat_buffer buffer;
    for (bool keep_alive = true; keep_alive;) {
        http::request_parser<http::string_body> parser;
        parser.body_limit(most_body_bytes);
        stream.expires_after(idle_timeout);
        if (const auto [error, size] = co_await http::async_read(stream, buffer, parser, result);
            error)
            co_return;

        stream.expires_never(); // an answer may be as slow as it was asked to be
        const bool wants_more = parser.get().keep_alive();
        auto response = co_await service.answer(parser.release(), facts);
        keep_alive = wants_more && !acceptor.is_draining();
        response.keep_alive(keep_alive);
        response.prepare_payload();
        stream.expires_after(idle_timeout);
        if (const auto [error, size] = co_await http::async_write(stream, response, result); error)
            co_return;
    }
    beast::error_code ignored;
    stream.socket().shutdown(asio::socket_base::shutdown_send, ignored);
}

asio::awaitable<void> run(Acceptor& acceptor, const demo::Options& options, demo::Service& service)
{
    asio::steady_timer timer{acceptor.context(), std::chrono::milliseconds{options.start_delay}};
    co_await timer.async_wait(asio::deferred);
    if (!options.never_ready)
        acceptor.ready();
    for (;;) {
        auto [error, connection] = co_await acceptor.async_accept(result);
        if (error)
            co_return;
        co_spawn(acceptor.context(), serve(std::move(connection), acceptor, service), rethrow);
    }
}

} // namespace

int main(int argc, char** argv)
try {
    demo::Options options;
    CLI::App app{"A worker for demonstrations and tests: it does what the request asks."};
    app.add_option("--listen", options.listen.fallback, "without usher: listen on this address");
    app.add_flag("--reuse-port", options.listen.reuse_port, "without usher: share the port");
    app.add_option("--start-delay", options.start_delay, "milliseconds from start to ready");
    app.add_flag("--never-ready", options.never_ready, "never say ready");
    app.add_option("--health-after", options.health_after,
                   "answer /health with 503 this many times first");
    app.add_option("--crash-after", options.crash_after, "abort after this many requests");
    app.add_flag("--ignore-term", options.ignore_term, "ignore SIGTERM");
    CLI11_PARSE(app, argc, argv);
    if (options.ignore_term)
        std::signal(SIGTERM, SIG_IGN);

    asio::io_context io{1};
    Acceptor acceptor{io, options.listen};
    demo::Service service{acceptor, options};
    co_spawn(io, run(acceptor, options, service), rethrow);
    io.run();
} catch (const std::exception& e) {
    return std::fprintf(stderr, "demo: %s\n", e.what()), 1;
}
