// SPDX-License-Identifier: MIT
#include "demo_service.hpp"

#include <boost/asio/deferred.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <nlohmann/json.hpp>

#include <charconv>
#include <cstdlib>
#include <optional>
#include <string_view>
#include <thread>
#include <utility>

#include <unistd.h>

namespace asio = boost::asio;
namespace http = boost::beast::http;

namespace demo {

namespace {

struct Target {
    std::string_view path;
    std::string_view query;
};

Target split(std::string_view target)
{
    const auto mark = target.find('?');
    if (mark == std::string_view::npos)
        return {.path = target, .query = {}};
    return {.path = target.substr(0, mark), .query = target.substr(mark + 1)};
}

/// The number behind `NAME=` in the query, whose only parameter it is; nothing if it is not so.
std::optional<int> number(std::string_view query, std::string_view name)
{
    if (!query.starts_with(name) || query.size() <= name.size() || query[name.size()] != '=')
        return std::nullopt;
    query.remove_prefix(name.size() + 1);
    int value = 0;
    const auto [end, error] = std::from_chars(query.data(), query.data() + query.size(), value);
    if (error != std::errc{} || end != query.data() + query.size() || value < 0)
        return std::nullopt;
    return value;
}

asio::awaitable<void> wait(std::chrono::milliseconds duration)
{
    asio::steady_timer timer{co_await asio::this_coro::executor, duration};
    co_await timer.async_wait(asio::deferred);
}

void refuse(Response& response, http::status status, std::string text)
{
    response.result(status);
    response.body() = std::move(text);
}

} // namespace

std::string Service::whoami(const ConnectionFacts& facts) const
{
    const usher::worker::Identity alone;
    const auto& self = acceptor_.identity() != nullptr ? *acceptor_.identity() : alone;
    return nlohmann::json{{"pid", ::getpid()},
                          {"slot", self.slot},
                          {"generation", self.generation},
                          {"worker", self.id},
                          {"pool", self.pool},
                          {"peer", facts.peer},
                          {"local", facts.local},
                          {"listener", facts.listener},
                          {"connection", facts.id}}
               .dump() +
           "\n";
}

asio::awaitable<Response> Service::answer(Request request, ConnectionFacts facts)
{
    ++requests_;
    if (options_.crash_after != 0 && requests_ > options_.crash_after)
        std::abort();

    Response response{http::status::ok, request.version()};
    response.set("X-Pid", std::to_string(::getpid()));
    response.set("X-Slot", std::to_string(acceptor_.identity() ? acceptor_.identity()->slot : 0));

    const auto [path, query] = split({request.target().data(), request.target().size()});
    const auto ms = number(query, "ms");
    if (path == "/") {
        response.body() = "Hello, World!\n";
    } else if (path == "/whoami") {
        response.set(http::field::content_type, "application/json");
        response.body() = whoami(facts);
    } else if (path == "/health") {
        if (++health_requests_ <= options_.health_after)
            refuse(response, http::status::service_unavailable, "warming up\n");
    } else if (path == "/slow" && ms) {
        co_await wait(std::chrono::milliseconds{*ms});
        response.body() = "slow\n";
    } else if (path == "/block" && ms) {
        std::this_thread::sleep_for(std::chrono::milliseconds{*ms});
        response.body() = "blocked\n";
    } else if (const auto code = number(query, "code"); path == "/exit" && code) {
        std::exit(*code);
    } else if (const auto mib = number(query, "mib"); path == "/grow" && mib) {
        kept_.emplace_back(static_cast<std::size_t>(*mib) << 20, 'x'); // written to, so it counts
        response.body() = "grown\n";
    } else if (path == "/abort") {
        std::abort();
    } else if (path == "/echo" && request.method() == http::verb::post) {
        response.body() = std::move(request.body());
    } else if (path == "/slow" || path == "/block" || path == "/exit" || path == "/grow") {
        refuse(response, http::status::bad_request,
               "say how long, how much or which code: /slow?ms=100, /block?ms=100, "
               "/grow?mib=100, /exit?code=1\n");
    } else {
        refuse(response, http::status::not_found,
               "there are / /whoami /health /slow?ms= /block?ms= /grow?mib= /exit?code= /abort and "
               "POST /echo\n");
    }
    co_return response;
}

} // namespace demo
