// SPDX-License-Identifier: MIT
#include <usher/worker/acceptor.hpp>
#include <usher/worker/bus.hpp>
#include <usher/worker/store.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <string_view>
#include <utility>

namespace asio = boost::asio;

namespace {

constexpr auto result = asio::as_tuple(asio::deferred);
constexpr std::string_view answer = "HTTP/1.0 200 OK\r\n\r\nserved in C++\n";

asio::awaitable<void> serve(usher::worker::Connection connection)
{
    std::array<char, 4096> request;
    auto buffer = asio::buffer(request);
    if (const auto [error, size] = co_await connection.socket.async_read_some(buffer, result);
        error)
        co_return;
    auto text = asio::buffer(answer);
    co_await asio::async_write(connection.socket, text, result);
}

asio::awaitable<void> run(usher::worker::Acceptor& acceptor, usher::worker::Bus& bus)
{
    acceptor.ready();
    for (;;) {
        auto [error, connection] = co_await acceptor.async_accept(result);
        if (error) {
            bus.close();
            co_return;
        }
        co_spawn(acceptor.context(), serve(std::move(connection)), asio::detached);
    }
}

} // namespace

int main()
{
    asio::io_context io{1};
    usher::worker::Acceptor acceptor{io, {}};
    usher::worker::Bus bus{io};
    co_spawn(io, run(acceptor, bus), asio::detached);
    io.run();
}
