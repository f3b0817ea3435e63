// SPDX-License-Identifier: MIT
//
// A worker that does on the bus what its clients say, a line each, and answers with a line:
//
//     who                   POOL/SLOT
//     publish TOPIC JSON    how many get it
//     heard                 all messages so far, as FROM:TOPIC:JSON, with blanks between
//     ask TOPIC JSON        the answers, as FROM=JSON, then who has given none, as -NAME
//     count KEY N           adds 1 by N updates, and tells the value
//     fill N                writes N keys, and tells how many there are
//     get KEY               the value, or "none"
//     size                  POOL/SLOT, and how many keys its copy has
//     lead                  "yes" or "no": every one of these would be the leader
//
//     GET …                 by HTTP, how many were asked for so
//
// It answers requests of the topic who.is with its name, none of dumb.SLOT, others with what they
// carry.  With the argument --answer-all it has nothing to do with dumb.SLOT.
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
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <cstdio>
#include <exception>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>

namespace asio = boost::asio;
using usher::worker::Acceptor;
using usher::worker::Bus;
using usher::worker::Message;
using usher::worker::Store;

namespace {

constexpr auto result = asio::as_tuple(asio::deferred);
constexpr std::chrono::minutes patience{10}; // longer than any test

struct Worker {
    asio::io_context io{1};
    Acceptor acceptor{io};
    Bus bus{io};
    Store store{bus};
    std::string heard;
    bool is_drained = false;
    bool answers_all = false;

    [[nodiscard]] std::string name() const
    {
        const auto* const self = acceptor.identity();
        return self->pool + "/" + std::to_string(self->slot);
    }

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

asio::awaitable<std::string> ask(Worker& worker, std::string topic, std::string data)
{
    const auto [error, all] = co_await worker.bus.async_request(topic, data, patience, result);
    if (error)
        co_return error.message();
    std::string text;
    for (const auto& reply : all.replies)
        text += reply.from + "=" + (reply.error.empty() ? reply.data : reply.error) + " ";
    for (const auto& name : all.missing)
        text += "-" + name + " ";
    co_return text;
}

asio::awaitable<std::string> count(Worker& worker, std::string key, int times)
{
    const auto one_more = [](std::optional<std::string_view> value) {
        return std::to_string(std::stoi(std::string{value.value_or("0")}) + 1);
    };
    for (int i = 0; i < times; ++i) {
        const auto [error, revision] =
            co_await worker.store.async_update(key, one_more, asio::as_tuple(asio::use_awaitable));
        if (error)
            co_return error.message();
    }
    co_return std::string{worker.store.get(key)->data};
}

asio::awaitable<std::string> fill(Worker& worker, int count)
{
    for (int i = 1; i <= count; ++i) {
        const auto key = "key." + std::to_string(i);
        if (i % 100 != 0 && i != count) { // the answer to the last one follows those to all others
            worker.store.async_put(key, "1", {}, asio::detached);
        } else if (const auto [error, revision] =
                       co_await worker.store.async_put(key, "1", {}, result);
                   error) {
            co_return error.message();
        }
    }
    co_return std::to_string(worker.store.size());
}

asio::awaitable<std::string> answer(Worker& worker, const std::string& command)
{
    std::istringstream words{command};
    std::string verb;
    std::string object;
    words >> verb >> object >> std::ws;
    const std::string rest{std::istreambuf_iterator<char>{words}, {}};
    if (verb == "who")
        co_return worker.name();
    if (verb == "heard")
        co_return worker.heard;
    if (verb == "lead")
        co_return worker.bus.is_leader() ? "yes" : "no";
    if (verb == "ask")
        co_return co_await ask(worker, object, rest);
    if (verb == "count")
        co_return co_await count(worker, object, std::stoi(rest));
    if (verb == "fill")
        co_return co_await fill(worker, std::stoi(object));
    if (verb == "size")
        co_return worker.name() + " " + std::to_string(worker.store.size());
    if (verb == "get") {
        const auto value = worker.store.get(object);
        co_return value ? std::string{value->data} : "none";
    }
    const auto [error, receivers] = co_await worker.bus.async_publish(object, rest, result);
    co_return error ? error.message() : std::to_string(receivers);
}

/// Its client says nothing else, and wants the connection to end.
asio::awaitable<std::string> answer_http(Worker& worker)
{
    worker.bus.publish("http.served", "null");
    // Without a master nobody counts, and all are served.
    const auto [error, count] = co_await worker.store.async_increment("served", 1, {}, result);
    co_return "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" +
        (error ? error.message() : std::to_string(count)) + "\n";
}

asio::awaitable<void> talk(Worker& worker, usher::worker::Socket socket)
{
    for (std::string buffer;;) {
        const auto [end, size] =
            co_await asio::async_read_until(socket, asio::dynamic_buffer(buffer), '\n', result);
        if (end)
            co_return;
        const bool is_http = buffer.starts_with("GET ");
        if (is_http)
            if (const auto [cut, head_size] = co_await asio::async_read_until(
                    socket, asio::dynamic_buffer(buffer), "\r\n\r\n", result);
                cut)
                co_return;
        std::string text;
        if (is_http)
            text = co_await answer_http(worker);
        else
            text = co_await answer(worker, buffer.substr(0, size - 1)) + "\n";
        buffer.erase(0, size);
        if (const auto [error, written] =
                co_await asio::async_write(socket, asio::buffer(text), result);
            error || is_http)
            co_return;
    }
}

asio::awaitable<void> accept(Worker& worker)
{
    worker.bus.subscribe("who.*");
    if (!worker.answers_all)
        worker.bus.subscribe("dumb." + std::to_string(worker.acceptor.identity()->slot));
    worker.bus.subscribe("news.>");
    worker.bus.campaign();
    co_await worker.store.async_open(result);
    worker.acceptor.ready();
    for (;;) {
        auto [error, connection] = co_await worker.acceptor.async_accept(result);
        if (error)
            break;
        co_spawn(worker.io, talk(worker, std::move(connection.socket)),
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
        if (message.kind == Message::Kind::request && message.topic == "who.is")
            worker.bus.reply(message, '"' + worker.name() + '"');
        else if (message.kind == Message::Kind::request && !message.topic.starts_with("dumb."))
            worker.bus.reply(message, message.data);
        else if (message.kind != Message::Kind::request)
            worker.heard += message.from + ":" + message.topic + ":" + message.data + " ";
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

int main(int argc, char** argv)
try {
    Worker worker;
    worker.answers_all = argc == 2 && argv[1] == std::string_view{"--answer-all"};
    co_spawn(worker.io, accept(worker), asio::detached);
    co_spawn(worker.io, hear(worker), asio::detached);
    co_spawn(worker.io, lead(worker), asio::detached);
    worker.io.run();
} catch (const std::exception& e) {
    return std::fprintf(stderr, "bus-worker: %s\n", e.what()), 1;
}
