// SPDX-License-Identifier: MIT
// So many requests in a while for each client address, whichever worker they come to.
//
//     usher run --listen 8000 -- ./rate-limiter 10 60        ten a minute
//
// A counter that all workers increment goes away a minute after its first request.
#include "worker/examples/http_server.hpp"

#include <usher/worker/acceptor.hpp>
#include <usher/worker/bus.hpp>
#include <usher/worker/store.hpp>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>

#include <netdb.h>

namespace {

using namespace examples;
using usher::worker::Acceptor;
using usher::worker::Bus;
using usher::worker::Endpoint;
using usher::worker::Store;

struct Limit {
    std::int64_t most = 10;
    std::chrono::seconds window{60};
};

std::string host_of(const Endpoint& client)
{
    std::array<char, 64> host{"unix"};
    ::getnameinfo(client.data(), static_cast<socklen_t>(client.size()), host.data(), host.size(),
                  nullptr, 0, NI_NUMERICHOST);
    return host.data();
}

asio::awaitable<Response> answer(Store& store, const Limit& limit, const Endpoint& client)
{
    const auto [error, count] =
        co_await store.async_increment("rate." + host_of(client), 1, limit.window, result);
    // Without a master nobody counts, and all are served.
    co_return make_response(
        error || count <= limit.most ? http::status::ok : http::status::too_many_requests,
        "request " + std::to_string(count) + " of " + std::to_string(limit.most) + "\n");
}

asio::awaitable<void> run(Acceptor& acceptor, Bus& bus, const Limit& limit)
{
    Store store{bus};
    const Answer answer_from_store = [&](const Request&, const Endpoint& client) {
        return answer(store, limit, client);
    };
    co_await serve_all(acceptor, answer_from_store);
    bus.close(); // which would keep the program from ending
}

} // namespace

int main(int argc, char** argv)
try {
    Limit limit;
    if (argc > 1)
        limit.most = std::strtol(argv[1], nullptr, 10);
    if (argc > 2)
        limit.window = std::chrono::seconds{std::strtol(argv[2], nullptr, 10)};

    asio::io_context io{1};
    Acceptor acceptor{io};
    Bus bus{io};
    co_spawn(io, run(acceptor, bus, limit), rethrow);
    io.run();
} catch (const std::exception& e) {
    return std::fprintf(stderr, "rate-limiter: %s\n", e.what()), 1;
}
