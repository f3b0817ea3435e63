// SPDX-License-Identifier: MIT
#pragma once

/// HTTP/1.1 for the examples that share something: what they share is in files of their own.

#include <usher/worker/acceptor.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>

#include <exception>
#include <functional>
#include <string>
#include <utility>

namespace examples {

namespace asio = boost::asio;
namespace http = boost::beast::http;

constexpr auto result = asio::as_tuple(asio::deferred); // errors as values, not exceptions

using Request = http::request<http::string_body>;
using Response = http::response<http::string_body>;
using Answer =
    std::function<asio::awaitable<Response>(const Request&, const usher::worker::Endpoint& client)>;

inline Response make_response(http::status status, std::string body)
{
    Response response{status, 11};
    response.body() = std::move(body);
    return response;
}

/// Ends the program when what was spawned fails.
inline void rethrow(const std::exception_ptr& error)
{
    if (error)
        std::rethrow_exception(error);
}

/// Serves until the worker is drained and its last connection is closed.
asio::awaitable<void> serve_all(usher::worker::Acceptor& acceptor, Answer answer);

} // namespace examples
