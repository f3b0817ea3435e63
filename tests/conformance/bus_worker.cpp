// SPDX-License-Identifier: MIT
//
// A worker that uses all of the bus by the C++ library: it answers requests, would be the leader,
// and counts its clients in the store.
#include <usher/worker/acceptor.hpp>
#include <usher/worker/bus.hpp>
#include <usher/worker/store.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>

#include <cstdio>
#include <exception>
#include <string>
#include <utility>

namespace asio = boost::asio;
using usher::worker::Acceptor;
using usher::worker::Bus;
using usher::worker::Message;
using usher::worker::Store;

namespace {

constexpr auto result = asio::as_tuple(asio::deferred);

struct Worker {
    asio::io_context io{1};
    Acceptor acceptor{io};
    Bus bus{io};
    Store store{bus};
    bool is_drained = false;

    /// The operation that was a connection's last holds it until this turn is over.
    void on_served()
    {
        asio::post(io, [this] { close_when_done(); });
    }

    /// An open bus would keep the program from ending.
    void close_when_done()
    {
        if (is_drained && acceptor.open_connections() == 0)
            bus.close();
    }
};

asio::awaitable<void> answer(Worker& worker, usher::worker::Socket socket)
{
    std::string buffer;
    const auto [end, size] =
        co_await asio::async_read_until(socket, asio::dynamic_buffer(buffer), "\r\n\r\n", result);
    if (end)
        co_return;
    worker.bus.publish("conformance.served", "null");
    // Without a master nobody counts, and all are served.
    const auto [error, count] = co_await worker.store.async_increment("served", 1, {}, result);
    const auto body = error ? error.message() : std::to_string(count);
    const auto text = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body + "\n";
    co_await asio::async_write(socket, asio::buffer(text), result);
}

asio::awaitable<void> accept(Worker& worker)
{
    worker.bus.subscribe("conformance.>");
    worker.bus.subscribe("*.all");
    worker.bus.campaign();
    co_await worker.store.async_open(result);
    worker.acceptor.ready();
    for (;;) {
        auto [error, connection] = co_await worker.acceptor.async_accept(result);
        if (error)
            break;
        co_spawn(worker.io, answer(worker, std::move(connection.socket)),
                 [&worker](const std::exception_ptr&) { worker.on_served(); });
    }
    worker.is_drained = true;
    worker.close_when_done();
}

asio::awaitable<void> hear(Worker& worker)
{
    for (;;) {
        const auto [error, message] = co_await worker.bus.async_receive(result);
        if (error)
            co_return;
        if (message.kind == Message::Kind::request)
            worker.bus.reply(message, message.data);
    }
}

asio::awaitable<void> lead(Worker& worker)
{
    for (;;) {
        const auto [error, is_leader] = co_await worker.bus.async_leadership(result);
        if (error)
            co_return;
        if (!is_leader)
            worker.bus.resign();
    }
}

} // namespace

int main()
try {
    Worker worker;
    co_spawn(worker.io, accept(worker), asio::detached);
    co_spawn(worker.io, hear(worker), asio::detached);
    co_spawn(worker.io, lead(worker), asio::detached);
    worker.io.run();
} catch (const std::exception& e) {
    return std::fprintf(stderr, "bus-worker: %s\n", e.what()), 1;
}
