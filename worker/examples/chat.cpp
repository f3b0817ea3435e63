// SPDX-License-Identifier: MIT
// A chat over plain TCP: what one client says, a line, all clients of all workers see.
//
//     usher run --listen 8000 -- ./chat        then, several times: nc 127.0.0.1 8000
//     ./chat 127.0.0.1:8000                    alone: one process, and no bus
#include <usher/worker/acceptor.hpp>
#include <usher/worker/bus.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/experimental/channel.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <nlohmann/json.hpp>

#include <cstdio>
#include <exception>
#include <memory>
#include <optional>
#include <set>
#include <string>

namespace asio = boost::asio;
using nlohmann::json;
using usher::worker::Acceptor;
using usher::worker::Bus;

namespace {

constexpr auto result = asio::as_tuple(asio::deferred); // errors as values, not exceptions
constexpr std::size_t longest_line = 4096;
constexpr std::size_t most_unread = 100; // lines that wait for a client; what is more it misses

using Lines = asio::experimental::channel<void(boost::system::error_code,
                                               std::shared_ptr<const std::string>)>;

/// The clients of this worker, and the bus to the others.
class Room {
public:
    explicit Room(asio::io_context& io)
    {
        if (Bus::is_available())
            bus_.emplace(io).subscribe("chat.line");
    }

    [[nodiscard]] Bus* bus() { return bus_ ? &*bus_ : nullptr; }

    void enter(Lines& lines) { clients_.insert(&lines); }

    void leave(Lines& lines)
    {
        clients_.erase(&lines);
        close_bus_when_done();
    }

    /// To everybody; those here hear it by the bus as well.
    void say(const std::string& line)
    {
        const auto text = json(line).dump(-1, ' ', false, json::error_handler_t::replace);
        if (!bus_ || bus_->publish("chat.line", text))
            show(line);
    }

    /// To those here.
    void show(const std::string& line)
    {
        const auto text = std::make_shared<const std::string>(line + "\n");
        for (Lines* const client : clients_)
            client->try_send(boost::system::error_code{}, text);
    }

    /// No more will come: whoever is here may call again, and finds another worker.
    void close()
    {
        is_closed_ = true;
        for (Lines* const client : clients_)
            client->close();
        close_bus_when_done();
    }

private:
    /// An open bus would keep the program from ending.
    void close_bus_when_done()
    {
        if (is_closed_ && clients_.empty() && bus_)
            bus_->close();
    }

    std::optional<Bus> bus_;
    std::set<Lines*> clients_;
    bool is_closed_ = false;
};

asio::awaitable<void> listen_to(usher::worker::Socket& socket, Room& room)
{
    for (std::string buffer;;) {
        const auto [error, size] = co_await asio::async_read_until(
            socket, asio::dynamic_buffer(buffer, longest_line), '\n', result);
        if (error)
            co_return;
        room.say(buffer.substr(0, size - 1));
        buffer.erase(0, size);
    }
}

asio::awaitable<void> show_to(usher::worker::Socket& socket, Lines& lines)
{
    for (;;) {
        const auto [end, text] = co_await lines.async_receive(result);
        if (end)
            co_return;
        if (const auto [error, size] =
                co_await asio::async_write(socket, asio::buffer(*text), result);
            error)
            co_return;
    }
}

asio::awaitable<void> serve(usher::worker::Connection connection, asio::io_context& io, Room& room)
{
    using namespace asio::experimental::awaitable_operators;

    Lines lines{io, most_unread};
    room.enter(lines);
    co_await (listen_to(connection.socket, room) || show_to(connection.socket, lines));
    room.leave(lines);
}

asio::awaitable<void> hear(Bus& bus, Room& room)
{
    for (;;) {
        const auto [error, message] = co_await bus.async_receive(result);
        if (error)
            co_return;
        if (message.kind == usher::worker::Message::Kind::message)
            room.show(json::parse(message.data).get<std::string>());
    }
}

asio::awaitable<void> run(Acceptor& acceptor, Room& room)
{
    acceptor.ready();
    for (;;) {
        auto [error, connection] = co_await acceptor.async_accept(result);
        if (error) {
            room.close();
            co_return;
        }
        co_spawn(acceptor.context(), serve(std::move(connection), acceptor.context(), room),
                 asio::detached);
    }
}

} // namespace

int main(int argc, char** argv)
try {
    usher::worker::Options options;
    if (argc > 1)
        options.fallback = argv[1];

    asio::io_context io{1};
    Acceptor acceptor{io, options};
    Room room{io};
    if (room.bus() != nullptr)
        co_spawn(io, hear(*room.bus(), room), asio::detached);
    co_spawn(io, run(acceptor, room), asio::detached);
    io.run();
} catch (const std::exception& e) {
    return std::fprintf(stderr, "chat: %s\n", e.what()), 1;
}
