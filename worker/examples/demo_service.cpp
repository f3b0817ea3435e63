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

/// The number behind `beginning`; nothing if the target is another or has none.
std::optional<int> number(std::string_view target, std::string_view beginning)
{
    if (!target.starts_with(beginning))
        return std::nullopt;
    target.remove_prefix(beginning.size());
    int value = 0;
    const auto [end, error] = std::from_chars(target.data(), target.data() + target.size(), value);
    if (error != std::errc{} || end != target.data() + target.size() || value < 0)
        return std::nullopt;
    return value;
}

void refuse(Response& response, http::status status, std::string text)
{
    response.result(status);
    response.body() = std::move(text);
}

} // namespace

asio::awaitable<Response> Service::answer(Request request, nlohmann::json facts)
{
    ++requests_;
    if (options_.crash_after != 0 && requests_ > options_.crash_after)
        std::abort();

    Response response{http::status::ok, request.version()};
    response.set("X-Pid", std::to_string(::getpid()));
    response.set("X-Slot", std::to_string(self_.slot));

    const std::string_view target{request.target().data(), request.target().size()};
    const auto path = target.substr(0, target.find('?'));
    if (path == "/") {
        response.body() = "Hello, World!\n";
    } else if (path == "/whoami") {
        response.set(http::field::content_type, "application/json");
        facts.update({{"pid", ::getpid()},
                      {"slot", self_.slot},
                      {"generation", self_.generation},
                      {"worker", self_.id},
                      {"pool", self_.pool}});
        response.body() = facts.dump() + "\n";
    } else if (path == "/health") {
        if (++health_requests_ <= options_.health_after)
            refuse(response, http::status::service_unavailable, "warming up\n");
    } else if (const auto delay = number(target, "/slow?ms=")) {
        asio::steady_timer timer{co_await asio::this_coro::executor,
                                 std::chrono::milliseconds{*delay}};
        co_await timer.async_wait(asio::deferred);
        response.body() = "slow\n";
    } else if (const auto ms = number(target, "/block?ms=")) {
        std::this_thread::sleep_for(std::chrono::milliseconds{*ms});
        response.body() = "blocked\n";
    } else if (const auto code = number(target, "/exit?code=")) {
        std::exit(*code);
    } else if (const auto mib = number(target, "/grow?mib=")) {
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
