// SPDX-License-Identifier: MIT
// A switch that all workers see: POST /on, POST /off.
//
//     usher run --listen 8000 -- ./feature-flag
//
// From outside: usher store put flag.greeting true
#include "worker/examples/http_server.hpp"

#include <usher/worker/acceptor.hpp>
#include <usher/worker/bus.hpp>
#include <usher/worker/store.hpp>

#include <cstdio>
#include <exception>

namespace {

using namespace examples;
using usher::worker::Acceptor;
using usher::worker::Bus;
using usher::worker::Endpoint;
using usher::worker::Store;

asio::awaitable<Response> answer(Store& store, const Request& request)
{
    if (request.method() == http::verb::post) {
        const auto* const value = request.target() == "/on" ? "true" : "false";
        const auto [error, revision] = co_await store.async_put("flag.greeting", value, {}, result);
        co_return make_response(
            error ? http::status::service_unavailable : http::status::no_content, "");
    }
    const auto flag = store.get("flag.greeting"); // of this worker's own copy, which costs nothing
    co_return make_response(http::status::ok,
                            flag && flag->data == "true" ? "Good day to you!\n" : "Hello!\n");
}

asio::awaitable<void> run(Acceptor& acceptor, Bus& bus)
{
    Store store{bus};
    co_await store.async_open(asio::deferred);
    const Answer answer_from_store = [&store](const Request& request, const Endpoint&) {
        return answer(store, request);
    };
    co_await serve_all(acceptor, answer_from_store);
    bus.close(); // which would keep the program from ending
}

} // namespace

int main()
try {
    asio::io_context io{1};
    Acceptor acceptor{io};
    Bus bus{io};
    co_spawn(io, run(acceptor, bus), rethrow);
    io.run();
} catch (const std::exception& e) {
    return std::fprintf(stderr, "feature-flag: %s\n", e.what()), 1;
}
