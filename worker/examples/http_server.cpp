// SPDX-License-Identifier: MIT
#include "worker/examples/http_server.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>

#include <chrono>

namespace beast = boost::beast;

namespace examples {

namespace {

constexpr std::chrono::seconds idle_timeout{5};

asio::awaitable<void> serve(usher::worker::Connection connection,
                            const usher::worker::Acceptor& acceptor, const Answer& answer)
{
    using Stream = beast::basic_stream<asio::generic::stream_protocol>;
    Stream stream{std::move(connection.socket)};
    beast::flat_buffer buffer;
    for (bool keep_alive = true; keep_alive;) {
        Request request;
        stream.expires_after(idle_timeout);
        if (const auto [error, size] = co_await http::async_read(stream, buffer, request, result);
            error)
            co_return;

        Response response = co_await answer(request, connection.peer);
        keep_alive = request.keep_alive() && !acceptor.is_draining();
        response.version(request.version());
        response.keep_alive(keep_alive);
        response.prepare_payload();
        stream.expires_after(idle_timeout);
        if (const auto [error, size] = co_await http::async_write(stream, response, result); error)
            co_return;
    }
    beast::error_code ignored;
    stream.socket().shutdown(asio::socket_base::shutdown_send, ignored);
}

} // namespace

asio::awaitable<void> serve_all(usher::worker::Acceptor& acceptor, Answer answer)
{
    int open = 0;
    asio::steady_timer all_closed{acceptor.context(), asio::steady_timer::time_point::max()};
    acceptor.ready();
    for (;;) {
        auto [error, connection] = co_await acceptor.async_accept(result);
        if (error)
            break;
        ++open;
        co_spawn(acceptor.context(), serve(std::move(connection), acceptor, answer),
                 [&open, &all_closed](const std::exception_ptr&) {
                     if (--open == 0)
                         all_closed.cancel();
                 });
    }
    while (open > 0)
        co_await all_closed.async_wait(result);
}

} // namespace examples
