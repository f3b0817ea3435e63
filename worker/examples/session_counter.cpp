// SPDX-License-Identifier: MIT
// Counts the visits of each session, and the sessions there are, across all workers.
//
//     usher run --listen 8000 -- ./session-counter
//
// How many sessions there are is read from this worker's own copy of the store, which costs
// nothing.
#include "worker/examples/http_server.hpp"

#include <usher/worker/acceptor.hpp>
#include <usher/worker/bus.hpp>
#include <usher/worker/store.hpp>

#include <boost/asio/use_awaitable.hpp>

#include <charconv>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <optional>
#include <random>
#include <regex>
#include <string>
#include <string_view>

namespace {

using namespace examples;
using usher::worker::Acceptor;
using usher::worker::Bus;
using usher::worker::Endpoint;
using usher::worker::Store;

constexpr std::chrono::seconds lifetime{30 * 60};

std::string make_session()
{
    std::random_device random;
    std::string session;
    while (session.size() < 32)
        session += "0123456789abcdef"[random() % 16];
    return session;
}

std::string session_of(const Request& request)
{
    static const std::regex pattern{R"(\bsession=([0-9a-f]{32})(?:;|$))"};
    const std::string cookie{request[http::field::cookie]};
    std::smatch known;
    return std::regex_search(cookie, known, pattern) ? known.str(1) : make_session();
}

asio::awaitable<Response> answer(Store& store, const Request& request)
{
    const auto session = session_of(request);
    std::int64_t visits = 0;
    const auto one_more = [&visits](std::optional<std::string_view> before) {
        visits = 0;
        if (before)
            std::from_chars(before->data(), before->data() + before->size(), visits);
        return std::to_string(++visits);
    };
    const auto [error, revision] = co_await store.async_update(
        "session." + session, one_more, lifetime, asio::as_tuple(asio::use_awaitable));
    if (error)
        co_return make_response(http::status::service_unavailable, error.message() + "\n");

    Response response = make_response(
        http::status::ok, "visit " + std::to_string(visits) + ", " +
                              std::to_string(store.keys("session.").size()) + " sessions\n");
    response.set(http::field::set_cookie,
                 "session=" + session + "; HttpOnly; Max-Age=" + std::to_string(lifetime.count()));
    co_return response;
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
    return std::fprintf(stderr, "session-counter: %s\n", e.what()), 1;
}
