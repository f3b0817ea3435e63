// SPDX-License-Identifier: MIT
#pragma once

#include <usher/worker/acceptor.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>
#include <nlohmann/json_fwd.hpp>

#include <string>
#include <vector>

namespace demo {

using Request = boost::beast::http::request<boost::beast::http::string_body>;
using Response = boost::beast::http::response<boost::beast::http::string_body>;

/// How the demo worker behaves, well or badly.
struct Options {
    usher::worker::Options listen;
    unsigned start_delay = 0; ///< milliseconds from start to ready
    bool never_ready = false;
    unsigned health_after = 0; ///< /health answers 503 this many times first
    unsigned crash_after = 0;  ///< abort() after this many requests; 0: never
    bool ignore_term = false;
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
    Service(const usher::worker::Acceptor& acceptor, const Options& options)
        : self_{acceptor.identity() ? *acceptor.identity() : usher::worker::Identity{}},
          options_{options}
    {
    }

    /// /whoami tells `facts` of the connection that the request came on.
    [[nodiscard]] boost::asio::awaitable<Response> answer(Request request, nlohmann::json facts);

private:
    const usher::worker::Identity self_;
    const Options& options_;
    unsigned requests_ = 0;
    std::vector<std::string> kept_; ///< what /grow took
    unsigned health_requests_ = 0;
};

} // namespace demo
