// SPDX-License-Identifier: MIT
#pragma once

#include "demo_options.hpp"

#include <usher/worker/acceptor.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>

#include <string>
#include <vector>

namespace demo {

using Request = boost::beast::http::request<boost::beast::http::string_body>;
using Response = boost::beast::http::response<boost::beast::http::string_body>;

/// What is known of the connection a request came on.
struct ConnectionFacts {
    std::string peer;
    std::string local;
    unsigned listener;
    std::uint64_t id;
};

/// Answers requests:
///
///     GET  /              Hello, World!
///     GET  /whoami        JSON: pid, slot, generation, worker, peer, local, listener, connection
///     GET  /health        200, after as many 503 as --health-after says
///     GET  /slow?ms=N     answers after N milliseconds, without blocking the others
///     GET  /block?ms=N    blocks the whole event loop for N milliseconds
///     GET  /grow?mib=N    takes N MiB of memory and keeps them
///     GET  /exit?code=N   ends the process
///     GET  /abort         crashes it
///     POST /echo          gives the body back
class Service {
public:
    Service(const usher::worker::Acceptor& acceptor, const Options& options) noexcept
        : acceptor_{acceptor}, options_{options}
    {
    }

    [[nodiscard]] boost::asio::awaitable<Response> answer(Request request, ConnectionFacts facts);

private:
    [[nodiscard]] std::string whoami(const ConnectionFacts& facts) const;

    const usher::worker::Acceptor& acceptor_;
    const Options& options_;
    unsigned requests_ = 0;
    std::vector<std::string> kept_; ///< what /grow took
    unsigned health_requests_ = 0;
};

} // namespace demo
