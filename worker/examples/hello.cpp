// SPDX-License-Identifier: MIT
// The smallest worker worth running: HTTP/1.1 with keep-alive.
//
//     usher run --listen 8000 -- ./hello       four of them behind one port
//     ./hello --listen 127.0.0.1:8000          one, alone; add --reuse-port to start several
#include <usher/worker/acceptor.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/detached.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include <cstdio>
#include <exception>
#include <string>
#include <string_view>

#include <unistd.h>

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using usher::worker::Acceptor;

namespace {

constexpr auto result = asio::as_tuple(asio::deferred); // errors as values, not exceptions
constexpr std::chrono::seconds idle_timeout{5};

asio::awaitable<void> serve(usher::worker::Connection connection, const Acceptor& acceptor)
{
    using Stream = beast::basic_stream<asio::generic::stream_protocol>;
    Stream stream{std::move(connection.socket)};
    beast::flat_buffer buffer;
    for (bool keep_alive = true; keep_alive;) {
        http::request<http::empty_body> request;
        stream.expires_after(idle_timeout);
        if (const auto [error, size] = co_await http::async_read(stream, buffer, request, result);
            error)
            co_return;

        keep_alive = request.keep_alive() && !acceptor.is_draining();
        http::response<http::string_body> response{http::status::ok, request.version()};
        response.set("X-Pid", std::to_string(::getpid()));
        response.set("X-Slot", std::to_string(acceptor.identity() ? acceptor.identity()->slot : 0));
        response.keep_alive(keep_alive);
        response.body() = "Hello, World!\n";
        response.prepare_payload();
        if (const auto [error, size] = co_await http::async_write(stream, response, result); error)
            co_return;
    }
    beast::error_code ignored;
    stream.socket().shutdown(asio::socket_base::shutdown_send, ignored);
}

asio::awaitable<void> run(Acceptor& acceptor)
{
    acceptor.ready();
    for (;;) {
        auto [error, connection] = co_await acceptor.async_accept(result);
        if (error)
            co_return; // drained: the program ends with its last connection
        co_spawn(acceptor.context(), serve(std::move(connection), acceptor), asio::detached);
    }
}

} // namespace

int main(int argc, char** argv)
try {
    usher::worker::Options options;
    for (int i = 1; i < argc; ++i)
        if (std::string_view{argv[i]} == "--reuse-port")
            options.reuse_port = true;
        else if (std::string_view{argv[i]} == "--listen" && i + 1 < argc)
            options.fallback = argv[++i];
        else
            return std::fputs("usage: hello [--listen ADDR] [--reuse-port]\n", stderr), 2;

    asio::io_context io{1};
    Acceptor acceptor{io, options};
    co_spawn(io, run(acceptor), asio::detached);
    io.run();
} catch (const std::exception& e) {
    return std::fprintf(stderr, "hello: %s\n", e.what()), 1;
}
